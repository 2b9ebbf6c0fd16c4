// Copy buttons: hidden in the HTML, since without scripts, or outside a secure context, they could
// do nothing.

const SHOWN_FOR = 1600; // milliseconds

export function offerCopies(root) {
  for (const button of root.querySelectorAll("button[data-copy]")) {
    button.hidden = false;
    button.addEventListener("click", () => copy(button));
  }
}

async function copy(button) {
  const label = button.textContent;
  button.textContent = (await toClipboard(button.dataset.copy)) ? "Copied" : "Select it and copy";
  setTimeout(() => (button.textContent = label), SHOWN_FOR);
}

async function toClipboard(text) {
  if (navigator.clipboard) {
    try {
      await navigator.clipboard.writeText(text);
      return true;
    } catch {
      return false;
    }
  }
  // A page that came by plain HTTP from another machine has no clipboard but this.
  const area = document.createElement("textarea");
  area.value = text;
  area.className = "unseen";
  document.body.append(area);
  area.select();
  const copied = document.execCommand("copy");
  area.remove();
  return copied;
}
