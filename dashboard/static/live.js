// Numbers that follow the clicks. The server tells what there is of all time; the page knows what
// there was when it was made, and adds what came since to what it shows. So nothing is added twice,
// whatever was missed in between.

import { addToLastPoint } from "./chart.js";
import { refresh } from "./refresh.js";

const RETRY = 3000; // milliseconds after an answer that is no stream
const LONGEST_RETRY = 60000;
const FRESH = ["#cards", "#chart", "#links-found", "[data-live]"];

export function followCounts(root) {
  const source = root.querySelector("[data-live]");
  if (source) new Live(source);
}

class Live {
  constructor(source) {
    this.source = source;
    this.pause = RETRY;
    this.open();
    document.addEventListener("visibilitychange", () => this.look());
    document.addEventListener("rows-changed", () => this.reopen());
    this.wait();
  }

  get address() {
    const rows = [...document.querySelectorAll("[data-campaign-clicks]")];
    const ids = rows.map((row) => row.dataset.campaignClicks).join(",");
    return ids ? `live/?campaigns=${ids}` : "live/";
  }

  open() {
    this.stream = new EventSource(this.address);
    this.stream.addEventListener("counts", (event) => this.take(JSON.parse(event.data)));
    this.stream.addEventListener("over", () => this.end());
    this.stream.addEventListener("error", () => this.lost());
  }

  reopen() {
    this.stream.close();
    this.open();
  }

  // A hidden page follows nothing; one that is looked at again catches up.
  look() {
    if (document.hidden) this.close();
    else if (this.stream.readyState === EventSource.CLOSED && !this.over) this.open();
  }

  close() {
    this.stream.close();
    this.showLive(false);
  }

  end() {
    this.over = true;
    this.close();
    for (const truth of document.querySelectorAll("[data-over]")) truth.hidden = false;
  }

  // The browser tries again by itself, but not after an answer that is no stream, as a proxy gives
  // while the dashboard is started again.
  lost() {
    this.showLive(false);
    if (this.stream.readyState !== EventSource.CLOSED || this.over || document.hidden) return;
    setTimeout(() => !document.hidden && this.open(), this.pause);
    this.pause = Math.min(this.pause * 2, LONGEST_RETRY);
  }

  take(counts) {
    this.pause = RETRY;
    this.showLive(true);
    const known = this.source.dataset;
    const clicks = counts.clicks - Number(known.clicks);
    const orders = counts.orders - Number(known.orders);
    const skipped = counts.notCounted - Number(known.notCounted);
    Object.assign(known, {
      clicks: counts.clicks,
      orders: counts.orders,
      notCounted: counts.notCounted,
    });
    for (const [id, [clicks, orders]] of Object.entries(counts.campaigns)) {
      this.bring(`[data-campaign-clicks="${id}"]`, clicks);
      this.bring(`[data-campaign-orders="${id}"]`, orders);
    }
    this.add("Clicks", clicks);
    this.add("Orders", orders);
    this.add("Not counted", skipped);
    if (clicks || orders) this.rate();
    if (clicks && !addToLastPoint(clicks)) this.refresh();
    for (const time of document.querySelectorAll("[data-until]")) {
      if (counts.until) time.textContent = counts.until;
    }
  }

  add(card, more) {
    const shown = document.querySelector(`[data-card="${card}"]`);
    if (more && shown) show(shown, number(shown) + more);
  }

  bring(selector, ever) {
    for (const shown of document.querySelectorAll(selector)) {
      const more = ever - Number(shown.dataset.ever);
      shown.dataset.ever = ever;
      if (more) show(shown, number(shown) + more);
    }
  }

  rate() {
    const [clicks, orders, rate] = ["Clicks", "Orders", "Orders per 100 clicks"].map((card) =>
      document.querySelector(`[data-card="${card}"]`),
    );
    if (rate && number(clicks)) rate.textContent = ((number(orders) * 100) / number(clicks)).toFixed(1);
  }

  // When the next hour or day begins, the page has another range.
  wait() {
    const left = Number(this.source.dataset.staleAt) * 1000 - Date.now();
    if (left > 0 && left < 2 ** 31) setTimeout(() => this.refresh(), left + 1000);
  }

  async refresh() {
    try {
      await refresh(location.href, FRESH);
      this.source = document.querySelector("[data-live]") ?? this.source;
      this.reopen();
      this.wait();
    } catch {
      // The next change tries again.
    }
  }

  showLive(live) {
    for (const dot of document.querySelectorAll(".dot")) dot.classList.toggle("live", live);
  }
}

function number(element) {
  return Number(element.textContent.replaceAll(",", ""));
}

function show(element, value) {
  element.textContent = value.toLocaleString("en");
  element.classList.remove("changed");
  void element.offsetWidth; // so that the animation begins anew
  element.classList.add("changed");
}
