// A search form whose results appear while one types; without scripts it is sent with Enter.

import { refresh } from "./refresh.js";

const PAUSE = 200; // milliseconds without a key

export function searchWhileTyping(root) {
  for (const form of root.querySelectorAll("form[data-search]")) {
    let timer = 0;
    let running = new AbortController();
    const search = async () => {
      const fields = new URLSearchParams(new FormData(form));
      if (!fields.get("q")) fields.delete("q");
      const address = `?${fields}`;
      running.abort();
      running = new AbortController();
      try {
        await refresh(address, [form.dataset.search], running.signal);
        history.replaceState(null, "", address);
        document.dispatchEvent(new Event("rows-changed"));
      } catch (error) {
        if (error.name !== "AbortError") form.submit();
      }
    };
    form.addEventListener("input", () => {
      clearTimeout(timer);
      timer = setTimeout(search, PAUSE);
    });
    form.addEventListener("submit", (event) => {
      event.preventDefault();
      clearTimeout(timer);
      search();
    });
  }
}
