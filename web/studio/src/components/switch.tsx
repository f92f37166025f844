// Something that is on or off.
import type { ReactNode } from "react";
import { Switch as AriaSwitch } from "react-aria-components/Switch";
import style from "./switch.module.css";

type Props = { readonly isOn: boolean; readonly onChange: (isOn: boolean) => void; readonly children: ReactNode };

export function Switch({ isOn, onChange, children }: Props) {
  return (
    <AriaSwitch className={style["switch"] ?? ""} isSelected={isOn} onChange={onChange}>
      <span className={style["track"]} aria-hidden="true" />
      {children}
    </AriaSwitch>
  );
}
