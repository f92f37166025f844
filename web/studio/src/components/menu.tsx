// Menus behind a button.
import type { ReactElement, ReactNode } from "react";
import { Menu as AriaMenu, MenuItem, MenuSection, MenuTrigger, Separator } from "react-aria-components/Menu";
import { Popover } from "react-aria-components/Popover";
import { Icon, type IconName } from "./icons.tsx";
import { singleSelection } from "./single-selection.ts";
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
  readonly isDanger?: boolean;
  readonly children: string;
};

export function Item({ icon, isDanger, children, ...rest }: ItemProps) {
  return (
    <MenuItem {...rest} textValue={children} className={style["item"] ?? ""} data-danger={isDanger || undefined}>
      {icon && <Icon name={icon} />}
      {children}
    </MenuItem>
  );
}

type ChoicesProps<Id extends string> = {
  readonly label: string;
  readonly icon: IconName;
  readonly choices: readonly { readonly id: Id; readonly name: string }[];
  readonly value: Id;
  readonly onChange: (id: Id) => void;
};

/** Items of which exactly one is chosen. */
export function Choices<Id extends string>({ label, icon, choices, value, onChange }: ChoicesProps<Id>) {
  return (
    <MenuSection
      aria-label={label}
      className={style["menu"] ?? ""}
      {...singleSelection(value, onChange)}
    >
      {choices.map(({ id, name }) => (
        <MenuItem key={id} id={id} textValue={name} className={style["item"] ?? ""}>
          {({ isSelected }) => (
            <>
              <Icon name={icon} />
              {name}
              {isSelected && <Icon name="check" className={style["mark"] ?? ""} />}
            </>
          )}
        </MenuItem>
      ))}
    </MenuSection>
  );
}

export function Divider() {
  return <Separator className={style["separator"] ?? ""} />;
}
