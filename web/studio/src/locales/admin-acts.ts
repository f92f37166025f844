// What admins do: each act with what follows from it.
import { texts } from "./texts.ts";

export const adminActs = texts({
  en: {
    shownToOwner: "Kept in the audit log, and shown to the owner of the account with the line",
    adjust: {
      act: "Adjust credits", title: "Adjust credits", do: "Write the line", done: "The credits were adjusted.",
      text: "One line is added to the ledger; it cannot be changed or removed, only balanced by another one. The balance may become negative.",
      amount: "Credits", amountHint: "A negative number takes credits away",
      after: (before: string, after: string) => `Balance: ${before} → ${after}`,
    },
    suspend: {
      act: "Suspend", title: "Suspend the account", do: "Suspend", done: "The account is suspended.",
      text: "Its sessions end at once, its API keys are refused, and its shared pages are closed. Orders that were accepted are completed. Credits, plans and pictures stay.",
    },
    reinstate: {
      act: "End the suspension", title: "End the suspension", do: "End it", done: "The suspension has ended.",
      text: "The account can sign in again; its API keys and its shared pages work as before. Sessions that ended stay ended.",
    },
    member: {
      act: "Grant membership", title: "Grant membership", do: "Grant", done: "The membership was granted.",
      text: "Styles for members open at once, without a plan and without an end. A plan that is paid for is not changed.",
    },
    noMember: {
      act: "Revoke membership", title: "Revoke the granted membership", do: "Revoke", done: "The granted membership was revoked.",
      text: "Styles for members close at once, unless a plan pays for them.",
    },
    pass: {
      act: "Grant a pass", title: "Grant a pass", do: "Grant", done: "The pass was granted.",
      text: "It begins at once, or when the last pass of the account ends. It costs nothing.",
      which: "Pass", hours: "Hours", hoursHint: (hours: number) => `1 to 8760; without a number, the pass's own ${hours}`,
    },
    plan: {
      act: "Grant a plan", title: "Grant a monthly plan", do: "Grant", done: "The plan was granted.",
      text: "The credits of its first month are granted at once, and those of the others as each begins. It is refused while the account has a paid or granted plan.",
      which: "Plan", months: "Months", monthsHint: "1 to 120; without a number, until it is ended",
    },
    endPlan: {
      act: "End the granted plan", title: "End the granted plan", do: "End it", done: "The granted plan has ended.",
      text: "It ends now; the credits that it has granted stay. A plan that is paid for ends at the payment provider only.",
    },
    role: {
      act: "Change the role", title: "Change the role", do: "Change", done: "The role was changed.",
      text: "It applies from the account's next operation on. Admins see every account and may change credits, pictures and the catalogue; super admins appoint admins, too.",
      which: "Role",
    },
    refund: {
      act: "Refund", title: "Refund the picture", do: "Refund", done: "The picture was refunded.",
      text: (credits: string) => `The whole price (${credits}) is returned, once, whatever the refund policy says. The picture stays.`,
      pass: "The allowance of the pass is returned to the hour that it was taken from, once. The picture stays.",
    },
    retry: {
      act: "Try again", title: "Try the picture again", do: "Try again", done: "A new attempt was ordered for its owner.",
      text: "A new picture is ordered for its owner with the same words and photo, free of charge. The old one stays as it ended, and can still be refunded.",
    },
    cancel: {
      act: "Cancel", title: "Cancel the picture", do: "Cancel the picture", done: "The picture was canceled.",
      text: "It is refunded as if its owner had canceled it: only where no request has been sent to the provider.",
    },
    unshare: {
      act: "Take down the page", title: "Take down the shared page", do: "Take it down", done: "The page was taken down.",
      text: "The page and its picture stop working at once. The owner may share it again, under the same address, too.",
    },
    remove: {
      act: "Delete", title: "Delete the picture", do: "Delete for good", done: "The picture was deleted.",
      text: "Its owner does not see it any more, and its files are removed within a minute, except those that other pictures of the account use. This cannot be undone, and refunds nothing.",
      everyUse: "Also delete the account's other pictures that use its photo or its result",
    },
    settle: {
      act: "Settle", title: "Settle the payment", do: "Settle", done: "The payment was settled.",
      text: "It is settled by the same rules as when it was reported: what was bought is granted, once. Name the account or the product only where the report does not.",
      account: "Account", accountHint: "Its ID; without one, the account of the report",
      product: "Product", productHint: "Of a package, plan or pass; by default as in the report", asReported: "As reported",
    },
    dismiss: {
      act: "Dismiss", title: "Dismiss the payment", do: "Dismiss", done: "The payment was dismissed.",
      text: "It is closed and nothing is granted, also when the same order is reported again. Money is returned at the payment provider only.",
    },
    readOnly: {
      on: { title: "Make it read-only", do: "Make it read-only", text: "Every user can look, and change nothing, until you end it. Accepted orders are completed." },
      off: { title: "End read-only", do: "End read-only", text: "Users can sign up, order and change things again at once." },
    },
    provider: {
      on: { title: (name: string) => `Switch ${name} on`, do: "Switch on", text: "What waits is made at once, and new orders are accepted." },
      off: { title: (name: string) => `Switch ${name} off`, do: "Switch off", text: "New orders that it would make are refused. Those that wait keep waiting, and are neither lost nor refunded." },
    },
    cap: {
      title: "Spending cap of a day", do: "Set", text: "New orders are refused for the rest of the day (UTC) once providers have charged this much.",
      amount: "US dollars", amountHint: "Without a number: no cap",
    },
    maintenanceDone: "The switches were changed.",
    import: {
      title: "Import a catalogue", file: "Choose a file", text: "A file as the export writes it, of 100 KiB at most. It is checked as a whole first; what is left out stays as it is, and nothing is removed.",
      report: (created: number, updated: number, unchanged: number) => `${created} new, ${updated} changed, ${unchanged} as before`,
      nothing: "Nothing would change.", would: "What an import would do", problems: (count: number) => (count === 1 ? "1 problem; nothing was changed" : `${count} problems; nothing was changed`),
      noJson: "This file is no JSON.", check: "Checking", do: "Import", done: "The catalogue was imported.",
    },
    picture: {
      title: (name: string) => `Picture of ${name}`, text: "A copy of one of your own finished pictures becomes the example of this style, for everyone. It stays when you delete the original.",
      none: "You have no finished picture yet: make one with this style first.", do: "Use this picture", shipped: "Back to the shipped one", done: "The picture of the style was changed.",
    },
  },
  zh: {
    shownToOwner: "保存在审计日志中，并随账目显示给账户所有者",
    adjust: {
      act: "调整积分", title: "调整积分", do: "写入账目", done: "积分已调整。",
      text: "账本将增加一条记录；它无法更改或删除，只能用另一条抵消。余额可能变为负数。",
      amount: "积分", amountHint: "负数表示扣除",
      after: (before: string, after: string) => `余额：${before} → ${after}`,
    },
    suspend: {
      act: "停用", title: "停用账户", do: "停用", done: "账户已停用。",
      text: "其会话立即结束，API 密钥被拒绝，分享页面关闭。已接受的订单会完成。积分、套餐和图片保留。",
    },
    reinstate: {
      act: "解除停用", title: "解除停用", do: "解除", done: "停用已解除。",
      text: "账户可以重新登录；API 密钥和分享页面照常工作。已结束的会话不会恢复。",
    },
    member: {
      act: "赠予会员", title: "赠予会员", do: "赠予", done: "已赠予会员。",
      text: "会员风格立即开放，无需套餐，也没有期限。付费套餐不受影响。",
    },
    noMember: {
      act: "收回会员", title: "收回赠予的会员", do: "收回", done: "赠予的会员已收回。",
      text: "会员风格立即关闭，除非有套餐为其付费。",
    },
    pass: {
      act: "赠予通行证", title: "赠予通行证", do: "赠予", done: "已赠予通行证。",
      text: "立即开始，或在账户最后一张通行证结束后开始。不收费。",
      which: "通行证", hours: "小时", hoursHint: (hours: number) => `1 至 8760；留空则为通行证自身的 ${hours} 小时`,
    },
    plan: {
      act: "赠予套餐", title: "赠予月度套餐", do: "赠予", done: "已赠予套餐。",
      text: "立即发放第一个月的积分，之后每月开始时发放。账户已有付费或赠予的套餐时会被拒绝。",
      which: "套餐", months: "月数", monthsHint: "1 至 120；留空则直到结束为止",
    },
    endPlan: {
      act: "结束赠予的套餐", title: "结束赠予的套餐", do: "结束", done: "赠予的套餐已结束。",
      text: "立即结束；已发放的积分保留。付费套餐只能在支付提供商处结束。",
    },
    role: {
      act: "更改角色", title: "更改角色", do: "更改", done: "角色已更改。",
      text: "从账户的下一次操作起生效。管理员可以查看所有账户，更改积分、图片和目录；超级管理员还可以任命管理员。",
      which: "角色",
    },
    refund: {
      act: "退款", title: "为图片退款", do: "退款", done: "图片已退款。",
      text: (credits: string) => `退还全部价格（${credits}），仅一次，不受退款规则限制。图片保留。`,
      pass: "通行证的额度退还到扣除时的小时，仅一次。图片保留。",
    },
    retry: {
      act: "重试", title: "重试图片", do: "重试", done: "已为所有者重新下单。",
      text: "使用相同的描述和照片为所有者免费重新生成。原来的图片保持不变，仍可退款。",
    },
    cancel: {
      act: "取消", title: "取消图片", do: "取消图片", done: "图片已取消。",
      text: "按所有者自行取消的规则退款：仅在尚未向提供商发送请求时退款。",
    },
    unshare: {
      act: "关闭分享页面", title: "关闭分享页面", do: "关闭", done: "页面已关闭。",
      text: "页面及其图片立即失效。所有者可以再次分享，包括使用同一地址。",
    },
    remove: {
      act: "删除", title: "删除图片", do: "永久删除", done: "图片已删除。",
      text: "所有者将无法再看到它，文件会在一分钟内移除，该账户其他图片仍在使用的文件除外。无法撤销，也不退款。",
      everyUse: "同时删除该账户中使用其照片或成品的其他图片",
    },
    settle: {
      act: "结算", title: "结算付款", do: "结算", done: "付款已结算。",
      text: "按报告时的相同规则结算：授予所购内容，仅一次。仅在报告缺少信息时指定账户或产品。",
      account: "账户", accountHint: "其 ID；留空则为报告中的账户",
      product: "产品", productHint: "积分包、套餐或通行证；默认与报告一致", asReported: "与报告一致",
    },
    dismiss: {
      act: "关闭", title: "关闭付款", do: "关闭", done: "付款已关闭。",
      text: "关闭后不授予任何内容，即使同一订单再次报告。退款只能在支付提供商处进行。",
    },
    readOnly: {
      on: { title: "设为只读", do: "设为只读", text: "在您解除之前，所有用户都可以浏览但无法更改。已接受的订单会完成。" },
      off: { title: "解除只读", do: "解除只读", text: "用户可以立即重新注册、下单和更改。" },
    },
    provider: {
      on: { title: (name: string) => `开启 ${name}`, do: "开启", text: "排队中的订单立即生成，并接受新订单。" },
      off: { title: (name: string) => `关闭 ${name}`, do: "关闭", text: "由它生成的新订单会被拒绝。排队中的订单继续等待，不会丢失也不会退款。" },
    },
    cap: {
      title: "每日支出上限", do: "设置", text: "提供商收费达到此数额后，当天（UTC）剩余时间内拒绝新订单。",
      amount: "美元", amountHint: "留空：没有上限",
    },
    maintenanceDone: "开关已更改。",
    import: {
      title: "导入目录", file: "选择文件", text: "与导出格式相同的文件，最大 100 KiB。先整体检查；文件中没有的内容保持不变，不会删除任何内容。",
      report: (created: number, updated: number, unchanged: number) => `新增 ${created}，更改 ${updated}，不变 ${unchanged}`,
      nothing: "不会有任何更改。", would: "导入的结果", problems: (count: number) => `${count} 个问题；未做任何更改`,
      noJson: "此文件不是 JSON。", check: "检查中", do: "导入", done: "目录已导入。",
    },
    picture: {
      title: (name: string) => `${name} 的图片`, text: "您自己完成的图片的副本将成为此风格的示例，对所有人可见。删除原图后它仍然保留。",
      none: "您还没有完成的图片：请先用此风格创作一张。", do: "使用此图片", shipped: "恢复自带的图片", done: "风格的图片已更改。",
    },
  },
});
