// The foot of the page.
import style from "./app.module.css";
import { useDeveloperPages } from "./developers.ts";
import { title } from "./header.tsx";

export function Footer() {
  const pages = useDeveloperPages();
  return (
    <footer className={style["footer"]}>
      <div className={style["inner"]}>
        <span className={style["name"]}>{title}</span>
        {pages.map(({ href, label }) => (
          <a key={href} href={href} target="_blank" rel="noreferrer">
            {label}
          </a>
        ))}
      </div>
    </footer>
  );
}
