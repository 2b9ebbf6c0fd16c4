// A link's form: its link as one types, and whether the code is free.

const PAUSE = 300; // milliseconds without a key

export function helpForms(root) {
  for (const form of root.querySelectorAll("form[data-takes-time]")) showProgress(form);
  for (const form of root.querySelectorAll("form[data-slug-from]")) proposeSlug(form);
  for (const form of root.querySelectorAll("form[data-campaign]")) {
    const code = form.elements.namedItem("code");
    const preview = form.querySelector("[data-preview]");
    const says = form.querySelector("#code-says");
    const hint = says.textContent;
    let timer = 0;
    code.addEventListener("input", () => {
      preview.textContent = code.value.trim() || "·········";
      clearTimeout(timer);
      timer = setTimeout(async () => {
        const wrong = code.value.trim() && (await wrongWith(code.value, form.dataset.campaign));
        says.textContent = wrong || hint;
        says.className = wrong ? "error" : "hint";
        code.closest(".field").classList.toggle("wrong", Boolean(wrong));
      }, PAUSE);
    });
  }
}

async function wrongWith(code, but) {
  // From `campaigns/new/` as from `campaigns/<id>/edit/`.
  const event = location.pathname.split("/").slice(0, 3).join("/");
  try {
    const answer = await fetch(`${event}/campaigns/check/?${new URLSearchParams({ code, but })}`);
    return answer.ok ? (await answer.json()).error : "";
  } catch {
    return ""; // it is checked when the form is sent
  }
}

// Thousands of links take a moment: what is going on, in place of the button.
function showProgress(form) {
  form.addEventListener("submit", () => {
    const bar = form.querySelector("progress");
    bar.hidden = false;
    bar.previousElementSibling.hidden = true;
  });
}

// An event's part of the address, made from its name until somebody types their own.
function proposeSlug(form) {
  const name = document.getElementById(form.dataset.slugFrom);
  const slug = form.elements.namedItem("slug");
  let own = slug.value !== "";
  slug.addEventListener("input", () => (own = slug.value !== ""));
  name.addEventListener("input", () => {
    if (own) return;
    const plain = name.value.normalize("NFD").replace(/\p{M}/gu, "").toLowerCase();
    slug.value = plain.replace(/[^a-z0-9]+/g, "-").replace(/^-+|-+$/g, "").slice(0, 50);
  });
}
