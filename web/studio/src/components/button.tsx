// Buttons, and links that look like them.
import { useEffect, type ReactNode } from "react";
import { Button as AriaButton, type ButtonProps } from "react-aria-components/Button";
import { Tooltip, TooltipTrigger } from "react-aria-components/Tooltip";
import { Link } from "wouter";
import { useText } from "../app/locale.tsx";
import { common } from "../locales/common.ts";
import { Icon, type IconName } from "./icons.tsx";
import style from "./button.module.css";
import tip from "./overlay.module.css";

export type Look = "primary" | "outline" | "quiet" | "danger" | "destroy";
type Shape = { readonly look?: Look; readonly size?: "small" | "medium" | "large"; readonly full?: boolean };

export function buttonClass({ look = "outline", size = "medium", full = false }: Shape, extra = ""): string {
  return [style["button"], style[look], style[size], full ? style["full"] : "", extra].filter(Boolean).join(" ");
}

type Props = Omit<ButtonProps, "children" | "className" | "style"> &
  Shape & { readonly icon?: IconName; readonly busy?: boolean; readonly children: ReactNode };

/** While it is `busy`, it does nothing and keeps the focus; that it is, and that it is no more, is said. */
export function Button({ look, size, full, icon, busy = false, children, ...rest }: Props) {
  const t = useText(common);
  useAnnouncements();
  return (
    <>
      {/* Without a button that submits, a browser sends a form of one field by Enter. */}
      {busy && rest.type === "submit" && <button type="submit" disabled hidden data-disabled="" />}
      <AriaButton {...rest} isPending={busy} className={buttonClass({ look, size, full })}>
        {busy ? <Spinner /> : icon && <Icon name={icon} />}
        {busy && <span className="visually-hidden">{t.loading}</span>}
        {children}
      </AriaButton>
    </>
  );
}

/** React Aria's announcements refer to the button for some seconds: they must not outlive it. */
function useAnnouncements(): void {
  useEffect(
    () => () => {
      endAnnouncements();
      setTimeout(endAnnouncements, 150); // the first of the page is written with a delay
    },
    [],
  );
}

function endAnnouncements(): void {
  for (const one of document.querySelectorAll("[data-live-announcer] [aria-labelledby]")) {
    const labels = (one.getAttribute("aria-labelledby") ?? "").split(" ");
    if (!labels.some((id) => document.getElementById(id))) one.remove();
  }
}

type IconProps = Omit<ButtonProps, "children" | "className" | "style"> &
  Shape & { readonly icon: IconName; readonly label: string; readonly filled?: boolean };

/** A round button with an icon; its label is said, and shown as a tooltip. */
export function IconButton({ look = "quiet", size, icon, label, filled, ...rest }: IconProps) {
  return (
    <TooltipTrigger delay={600}>
      <AriaButton {...rest} aria-label={label} className={buttonClass({ look, size }, style["round"])}>
        <Icon name={icon} filled={filled ?? false} />
      </AriaButton>
      <Tooltip className={tip["tooltip"] ?? ""} offset={6}>
        {label}
      </Tooltip>
    </TooltipTrigger>
  );
}

type LinkProps = Shape & { readonly to: string; readonly icon?: IconName; readonly children: ReactNode };

/** A link to another view. */
export function ButtonLink({ look, size, full, to, icon, children }: LinkProps) {
  return (
    <Link href={to} className={buttonClass({ look, size, full })}>
      {icon && <Icon name={icon} />}
      {children}
    </Link>
  );
}

export function Spinner() {
  return <span className={style["spinner"]} aria-hidden="true" />;
}
