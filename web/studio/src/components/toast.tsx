// Short messages at the edge of the window, some with one action such as undo; screen readers say them.
import {
  Text,
  UNSTABLE_Toast as Toast,
  UNSTABLE_ToastContent as ToastContent,
  UNSTABLE_ToastList as ToastList,
  UNSTABLE_ToastQueue as ToastQueue,
  UNSTABLE_ToastRegion as ToastRegion,
} from "react-aria-components/Toast";
import { useText } from "../app/locale.tsx";
import { common } from "../locales/common.ts";
import { Button, IconButton } from "./button.tsx";
import style from "./toast.module.css";

type Message = { readonly text: string; readonly action?: { readonly label: string; readonly run: () => void } };

const queue = new ToastQueue<Message>({ maxVisibleToasts: 3 });

/** Show a message for some milliseconds; `onClose` is called when it goes, whatever made it go. */
export function toast(text: string, action?: Message["action"], onClose?: () => void, timeout = 6000): string {
  return queue.add(action ? { text, action } : { text }, { timeout, ...(onClose && { onClose }) });
}

export function closeToast(key: string): void {
  queue.close(key);
}

export function Toasts() {
  const t = useText(common);
  return (
    <ToastRegion queue={queue} className={style["region"] ?? ""} aria-label={t.messages}>
      <ToastList className={style["list"] ?? ""}>
        {({ toast: one }: { toast: Parameters<typeof Toast<Message>>[0]["toast"] }) => (
          <Toast toast={one} className={style["toast"] ?? ""}>
            <ToastContent>
              <Text slot="title">{one.content.text}</Text>
            </ToastContent>
            {one.content.action && (
              <Button
                look="quiet"
                size="small"
                onPress={() => {
                  one.content.action?.run();
                  queue.close(one.key);
                }}
              >
                {one.content.action.label}
              </Button>
            )}
            <IconButton slot="close" icon="close" size="small" label={t.close} />
          </Toast>
        )}
      </ToastList>
    </ToastRegion>
  );
}
