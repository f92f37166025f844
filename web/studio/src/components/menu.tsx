// Menus behind a button.
import type { ReactElement, ReactNode } from "react";
import { Menu as AriaMenu, MenuItem, MenuTrigger, Separator } from "react-aria-components/Menu";
import { Popover } from "react-aria-components/Popover";
import { Icon, type IconName } from "./icons.tsx";
import style from "./overlay.module.css";

type MenuProps = { readonly label: string; readonly trigger: ReactElement; readonly children: ReactNode };

/** `trigger`: the button that opens it. */
export function Menu({ label, trigger, children }: MenuProps) {
  return (
    <MenuTrigger>
      {trigger}
      <Popover className={style["popover"] ?? ""} offset={8}>
        <AriaMenu aria-label={label} className={style["menu"] ?? ""}>
          {children}
        </AriaMenu>
      </Popover>
    </MenuTrigger>
  );
}

type ItemProps = {
  readonly icon?: IconName;
  readonly onAction?: () => void;
  readonly href?: string;
  readonly target?: string;
  readonly isMarked?: boolean;
  readonly isDanger?: boolean;
  readonly children: string;
};

export function Item({ icon, isMarked, isDanger, children, ...rest }: ItemProps) {
  return (
    <MenuItem {...rest} textValue={children} className={style["item"] ?? ""} data-danger={isDanger || undefined}>
      {icon && <Icon name={icon} />}
      {children}
      {isMarked && <Icon name="check" className={style["mark"] ?? ""} />}
    </MenuItem>
  );
}

export function Divider() {
  return <Separator className={style["separator"] ?? ""} />;
}
