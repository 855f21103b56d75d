/* Cards of claims: who points at a claim's name, or comes to it with the keyboard, sees what it says and came out as.
   What a card shows is taken from the claim's row on the same page. */

(function () {
  "use strict";

  const card = document.createElement("div");
  card.className = "claim-card";
  card.id = "claim-card";
  card.hidden = true;
  card.setAttribute("role", "tooltip");
  document.body.append(card);

  let leaving;

  function show(link) {
    const row = document.getElementById(link.getAttribute("href").slice(1));
    if (!row) return;
    clearTimeout(leaving);
    card.replaceChildren();
    for (const part of row.querySelectorAll(".statement, .statement ~ .details")) card.append(part.cloneNode(true));
    for (const cell of row.querySelectorAll("td")) {
      const line = document.createElement("div");
      line.className = "card-line";
      const title = document.createElement("span");
      title.className = "card-title";
      title.textContent = cell.dataset.label;
      line.append(title, ...Array.from(cell.cloneNode(true).childNodes));
      card.append(line);
    }
    const evidence = row.querySelector("details.evidence ul");
    if (evidence) card.append(evidence.cloneNode(true));
    card.hidden = false;
    link.setAttribute("aria-describedby", "claim-card");
    const at = link.getBoundingClientRect();
    const width = Math.min(420, document.documentElement.clientWidth - 24);
    card.style.width = width + "px";
    card.style.left = window.scrollX + Math.max(12, Math.min(at.left, document.documentElement.clientWidth - width - 12)) + "px";
    const below = at.bottom + card.offsetHeight + 12 < window.innerHeight || at.top < card.offsetHeight + 12;
    card.style.top = window.scrollY + (below ? at.bottom + 6 : at.top - card.offsetHeight - 6) + "px";
  }

  function hide() {
    leaving = setTimeout(() => {
      card.hidden = true;
    }, 200);
  }

  for (const link of document.querySelectorAll("a.claim-name")) {
    link.addEventListener("mouseenter", () => show(link));
    link.addEventListener("focus", () => show(link));
    link.addEventListener("mouseleave", hide);
    link.addEventListener("blur", hide);
  }
  card.addEventListener("mouseenter", () => clearTimeout(leaving));
  card.addEventListener("mouseleave", hide);
  document.addEventListener("keydown", (event) => {
    if (event.key === "Escape") card.hidden = true;
  });

  /* A link to a claim opens what is folded under it. */
  function openTarget() {
    const row = location.hash.startsWith("#claim-") && document.getElementById(decodeURIComponent(location.hash.slice(1)));
    const details = row && row.querySelector("details.evidence");
    if (details) details.open = true;
  }
  window.addEventListener("hashchange", openTarget);
  openTarget();
})();
