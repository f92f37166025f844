// Small parts of lists: skeletons, empty states, badges, chips to choose from, and images that fade in.
import { useState, type CSSProperties, type ReactNode } from "react";
import { ToggleButton } from "react-aria-components/ToggleButton";
import { ToggleButtonGroup } from "react-aria-components/ToggleButtonGroup";
import { useText } from "../app/locale.tsx";
import { common } from "../locales/common.ts";
import { Icon, type IconName } from "./icons.tsx";
import { singleSelection } from "./single-selection.ts";
import { ViewTitle } from "./view-title.tsx";
import style from "./card.module.css";

export function Skeleton({ className = "", css }: { readonly className?: string; readonly css?: CSSProperties }) {
  return <div className={`${style["skeleton"]} ${className}`} style={css} aria-hidden="true" />;
}

/** The heading of a view that is not there yet, for screen readers. */
export function Loading({ children }: { readonly children: ReactNode }) {
  const t = useText(common);
  return (
    <div aria-busy="true">
      <ViewTitle className="visually-hidden">{t.loading}</ViewTitle>
      {children}
    </div>
  );
}

type EmptyProps = {
  readonly icon: IconName;
  readonly title: string;
  readonly text?: ReactNode;
  readonly children?: ReactNode;
  /** Part of a view that has a heading of its own. */
  readonly isPart?: boolean;
};

export function Empty({ icon, title, text, children, isPart = false }: EmptyProps) {
  return (
    <div className={style["empty"]}>
      <Icon name={icon} />
      {isPart ? <h2>{title}</h2> : <ViewTitle>{title}</ViewTitle>}
      {text && <p>{text}</p>}
      {children && <div>{children}</div>}
    </div>
  );
}

export function Badge({ icon, children }: { readonly icon?: IconName; readonly children: ReactNode }) {
  return (
    <span className={style["badge"]}>
      {icon && <Icon name={icon} />}
      {children}
    </span>
  );
}

export type Choice<Id extends string> = { readonly id: Id; readonly label: ReactNode; readonly isDisabled?: boolean };

type ChipsProps<Id extends string> = {
  readonly label: string;
  readonly choices: readonly Choice<Id>[];
  readonly value: Id;
  readonly onChange: (id: Id) => void;
  /** One line that scrolls sideways where it is too long. */
  readonly scrolls?: boolean;
};

/** Chips of which exactly one is chosen, or none yet: where `value` is none of them. */
export function Chips<Id extends string>({ label, choices, value, onChange, scrolls = false }: ChipsProps<Id>) {
  return (
    <ToggleButtonGroup
      aria-label={label}
      className={`${style["chips"]} ${scrolls ? style["scroll"] : ""}`}
      {...singleSelection(choices.some(({ id }) => id === value) ? value : null, onChange)}
    >
      {choices.map(({ id, label: name, isDisabled }) => (
        <ToggleButton key={id} id={id} isDisabled={isDisabled ?? false} className={style["chip"] ?? ""}>
          {name}
        </ToggleButton>
      ))}
    </ToggleButtonGroup>
  );
}

type PictureProps = {
  readonly src: string | null | undefined;
  readonly alt: string;
  /** A tiny image shown until the other one is there. */
  readonly placeholder?: string | null;
  readonly className?: string;
  readonly eager?: boolean;
  readonly css?: CSSProperties;
};

export function Picture({ src, alt, placeholder, className = "", eager = false, css }: PictureProps) {
  const [loaded, setLoaded] = useState<string | null>(null);
  const known = pathOf(src);
  return (
    <div
      className={`${style["picture"]} ${className}`}
      style={{ ...css, ...(placeholder && { backgroundImage: `url("${placeholder}")` }) }}
    >
      {src && (
        <img
          src={src}
          alt={alt}
          loading={eager ? "eager" : "lazy"}
          fetchPriority={eager ? "high" : "auto"}
          decoding="async"
          data-loading={(!eager && loaded !== known) || undefined}
          onLoad={() => setLoaded(known)}
          onError={() => setLoaded(known)}
        />
      )}
    </div>
  );
}

/** A signed URL without its query, which changes while the file stays the same. */
function pathOf(src: string | null | undefined): string | null {
  return src ? (src.split("?")[0] ?? src) : null;
}
