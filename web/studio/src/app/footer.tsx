// The foot of the page.
import { site } from "../components/view-title.tsx";
import style from "./app.module.css";
import { useDeveloperPages } from "./developers.ts";

export function Footer() {
  const pages = useDeveloperPages();
  return (
    <footer className={style["footer"]}>
      <div className={style["inner"]}>
        <span className={style["name"]}>{site}</span>
        {pages.map(({ href, label }) => (
          <a key={href} href={href} target="_blank" rel="noreferrer">
            {label}
          </a>
        ))}
      </div>
    </footer>
  );
}
