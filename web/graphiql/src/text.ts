// The texts of the page around GraphiQL, in the languages of the API.
const english = {
  tagline: "Try out the API",
  adminsOnly: "This page is for admins. Sign in with an admin account.",
  notAnAdmin: "This account is not an admin account.",
  email: "E-mail",
  password: "Password",
  signIn: "Sign in",
  signUp: "Sign up",
  newHere: "New here? Sign up",
  haveAccount: "Have an account? Sign in",
  checkMail: "Please check your mail: a link in it completes the sign-up.",
  signOut: "Sign out",
  credits: "credits",
  admin: "admin",
  examples: "Examples",
  examplesHint: "Open an example operation in a new tab",
  photo: "Photo",
  photoHint: "Choose a photo for the next picture, or drop it on the page",
  photoUploading: "Uploading the photo",
  photoReady: "The photo is ready",
  removePhoto: "Remove the photo",
  dropHere: "Drop the photo here",
  uploadFailed: "The photo could not be uploaded. Please try again.",
  pictures: "Pictures in the response",
  picture: "The picture",
  openPicture: "Open the picture",
  unreachable: "The server cannot be reached. Please try again in a moment.",
  loading: "Loading …",
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
  checkMail: "请查收邮件：打开其中的链接即可完成注册。",
  signOut: "退出登录",
  credits: "积分",
  admin: "管理员",
  examples: "示例操作",
  examplesHint: "在新标签页中打开一个示例操作",
  photo: "照片",
  photoHint: "为下一张图片选择照片，或将照片拖到此页面",
  photoUploading: "正在上传照片",
  photoReady: "照片已就绪",
  removePhoto: "移除照片",
  dropHere: "将照片拖放到这里",
  uploadFailed: "照片上传失败，请重试。",
  pictures: "响应中的图片",
  picture: "图片",
  openPicture: "打开图片",
  unreachable: "无法连接服务器，请稍后再试。",
  loading: "正在加载……",
};

/** `locale`: en or zh-CN, as the server names them. */
export function textIn(locale: string): Text {
  return locale.toLowerCase().startsWith("zh") ? chinese : english;
}
