// The foot of the page.
import { common } from "../locales/common.ts";
import style from "./app.module.css";
import { title } from "./header.tsx";
import { useText } from "./locale.tsx";

export function Footer() {
  const t = useText(common);
  return (
    <footer className={style["footer"]}>
      <div className={style["inner"]}>
        <span className={style["name"]}>{title}</span>
        <a href="/graphql" target="_blank" rel="noreferrer">
          {t.developers}
        </a>
      </div>
    </footer>
  );
}
