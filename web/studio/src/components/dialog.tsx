// A dialog above the page: focus stays inside, Escape closes it, and what opened it has the focus afterwards.
import type { CSSProperties, ReactNode } from "react";
import { Dialog as AriaDialog } from "react-aria-components/Dialog";
import { Heading } from "react-aria-components/Heading";
import { Modal, ModalOverlay } from "react-aria-components/Modal";
import { useText } from "../app/locale.tsx";
import { common } from "../locales/common.ts";
import { IconButton } from "./button.tsx";
import style from "./overlay.module.css";

type Props = {
  readonly title: string;
  readonly isOpen: boolean;
  readonly onClose: () => void;
  readonly width?: string;
  readonly role?: "dialog" | "alertdialog";
  readonly children: ReactNode;
};

export function Dialog({ title, isOpen, onClose, width = "26rem", role = "dialog", children }: Props) {
  const t = useText(common);
  return (
    <ModalOverlay className={style["veil"] ?? ""} isOpen={isOpen} onOpenChange={(open) => !open && onClose()} isDismissable>
      <Modal className={style["modal"] ?? ""} style={{ "--width": width } as CSSProperties}>
        <AriaDialog className={style["dialog"] ?? ""} role={role}>
          <div className={style["head"]}>
            <Heading slot="title" level={2}>
              {title}
            </Heading>
            <IconButton icon="close" label={t.close} onPress={onClose} />
          </div>
          {children}
        </AriaDialog>
      </Modal>
    </ModalOverlay>
  );
}
