// React hooks without a page: a root that accepts one component, which renders nothing; and a browser's cookies for fetch.
import { createElement } from "react";

const element = (more = {}) => ({ nodeType: 1, nodeName: "DIV", tagName: "DIV", addEventListener() {}, textContent: "", ...more });
const ownerDocument = element({ nodeType: 9, defaultView: globalThis });
ownerDocument.documentElement = element();
globalThis.window = globalThis;
globalThis.HTMLIFrameElement = class {};
const { createRoot } = await import("react-dom/client");
const { DarkroomProvider } = await import("@darkroom/client/react");

/** Run a hook below a client; `now` is what it returned last, `until` waits until that fits. */
export function run(client, useValue) {
  const root = createRoot(element({ ownerDocument }));
  const hook = { now: null, listeners: new Set(), until, end: () => root.unmount() };
  const Component = () => {
    hook.now = useValue();
    for (const listener of hook.listeners) queueMicrotask(listener);
    return null;
  };
  root.render(createElement(DarkroomProvider, { client }, createElement(Component)));
  return hook;
}

function until(fits) {
  return new Promise((resolve) => {
    const look = () => {
      if (this.now === null || !fits(this.now)) return;
      this.listeners.delete(look);
      resolve(this.now);
    };
    this.listeners.add(look);
    look();
  });
}

/** Let fetch keep the cookies of one server, as browsers do with `credentials: "include"`. */
export function keepCookies() {
  const cookies = new Map();
  const { fetch } = globalThis;
  globalThis.fetch = async (url, options = {}) => {
    const headers = new Headers(options.headers);
    if (cookies.size) headers.set("cookie", [...cookies].map((pair) => pair.join("=")).join("; "));
    const response = await fetch(url, { ...options, headers });
    for (const line of response.headers.getSetCookie()) {
      const [, name, value] = /^([^=]+)=([^;]*)/.exec(line);
      if (value && !/max-age=0/i.test(line)) cookies.set(name, value);
      else cookies.delete(name);
    }
    return response;
  };
}
