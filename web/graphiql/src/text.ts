// What the page says around GraphiQL, in the languages of the API.
const english = {
  tagline: "The API, to try out",
  adminsOnly: "This page is for admins. Sign in as one.",
  notAnAdmin: "This account is not an admin's.",
  email: "E-mail",
  password: "Password",
  signIn: "Sign in",
  signUp: "Sign up",
  newHere: "New here? Sign up",
  haveAccount: "Have an account? Sign in",
  signOut: "Sign out",
  credits: "credits",
  admin: "admin",
  ready: "Ready-made",
  readyHint: "Open a ready-made operation in a new tab",
  photo: "Photo",
  photoHint: "Choose a photo for the next picture, or drop it on the page",
  photoSending: "The photo is being sent",
  photoThere: "The photo is there",
  removePhoto: "Remove the photo",
  dropHere: "Drop the photo here",
  notArrived: "The photo did not arrive. Please try again.",
  pictures: "Pictures in the answer",
  picture: "The picture",
  openPicture: "Open the picture",
  unreachable: "The server does not answer. Try again in a moment.",
  wait: "One moment …",
};

export type Text = typeof english;

const chinese: Text = {
  tagline: "在这里试用接口",
  adminsOnly: "此页面仅供管理员使用，请以管理员身份登录。",
  notAnAdmin: "此账户不是管理员。",
  email: "邮箱",
  password: "密码",
  signIn: "登录",
  signUp: "注册",
  newHere: "没有账户？注册",
  haveAccount: "已有账户？登录",
  signOut: "退出登录",
  credits: "积分",
  admin: "管理员",
  ready: "现成操作",
  readyHint: "在新标签页中打开一个现成的操作",
  photo: "照片",
  photoHint: "为下一张图片选择照片，或将照片拖到此页面",
  photoSending: "正在发送照片",
  photoThere: "照片已就绪",
  removePhoto: "移除照片",
  dropHere: "将照片拖放到这里",
  notArrived: "照片未能送达，请重试。",
  pictures: "响应中的图片",
  picture: "图片",
  openPicture: "打开图片",
  unreachable: "服务器没有响应，请稍后再试。",
  wait: "请稍候……",
};

/** `locale`: en or zh-CN, as the server names them. */
export function textIn(locale: string): Text {
  return locale.toLowerCase().startsWith("zh") ? chinese : english;
}
