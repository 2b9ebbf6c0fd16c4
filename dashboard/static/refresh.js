// Parts of the page, fetched anew and put in place of what is there.

import { pointAtCharts } from "./chart.js";
import { offerCopies } from "./copy.js";

export async function refresh(address, selectors, signal) {
  const answer = await fetch(address, { signal, headers: { Accept: "text/html" } });
  if (!answer.ok || answer.redirected) throw new Error(`status ${answer.status}`);
  const fresh = new DOMParser().parseFromString(await answer.text(), "text/html");
  for (const selector of selectors) {
    const before = document.querySelector(selector);
    const after = fresh.querySelector(selector);
    if (!before || !after) continue;
    before.replaceWith(after);
    offerCopies(after);
    pointAtCharts(after);
  }
}
