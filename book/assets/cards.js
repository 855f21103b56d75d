/* Cards: who points at a claim's name, a paper or a word of the book, or comes to it with the keyboard, sees what it is.
   A claim's card is its row on the same page; papers and words are in card-data.js, read when the first one is asked for. */

(function () {
  "use strict";

  const card = document.createElement("div");
  card.className = "book-card";
  card.id = "book-card";
  card.hidden = true;
  card.setAttribute("role", "tooltip");
  document.body.append(card);

  let leaving;
  let asked;

  function element(name, className, text) {
    const made = document.createElement(name);
    made.className = className;
    made.textContent = text;
    return made;
  }

  function anchorOf(link) {
    return decodeURIComponent(link.hash.slice(1));
  }

  /* --- what a card says --- */

  function ofClaim(link) {
    const row = document.getElementById(anchorOf(link));
    if (!row) return [];
    const parts = Array.from(row.querySelectorAll(".statement, .statement ~ .details"), (part) => part.cloneNode(true));
    for (const cell of row.querySelectorAll("td")) {
      const line = element("div", "card-line", "");
      line.append(element("span", "card-title", cell.dataset.label), ...Array.from(cell.cloneNode(true).childNodes));
      parts.push(line);
    }
    const evidence = row.querySelector("details.evidence ul");
    return evidence ? [...parts, evidence.cloneNode(true)] : parts;
  }

  function ofTerm(link) {
    const found = Object.entries(window.genbookCards.terms).find(
      ([term]) => "term-" + term.toLowerCase().replace(/[^a-z0-9]+/g, "-") === anchorOf(link),
    );
    return found ? [element("span", "statement", found[0]), element("span", "details", found[1])] : [];
  }

  function ofPaper(link) {
    const paper = window.genbookCards.papers[anchorOf(link)];
    if (!paper) return [];
    const parts = [element("span", "statement", paper.title)];
    const root = link.href.slice(0, link.href.indexOf("references.html"));
    for (const claim of paper.claims) {
      const line = element("div", "card-line", "");
      const badge = element("span", "verdict " + claim.verdict.replaceAll(" ", "-"), claim.verdict);
      const statement = element("a", "", claim.statement);
      statement.href = root + claim.address;
      line.append(badge, element("span", "details", "in " + claim.setting), statement);
      if (claim.reported) line.append(element("span", "details", "reported there: " + claim.reported));
      parts.push(line);
    }
    return parts;
  }

  function read(link, then) {
    if (window.genbookCards) return then();
    const page = link.href.split("#")[0];
    const script = document.createElement("script");
    script.src = page.replace(/(method\/glossary|references)\.html$/, "card-data.js");
    script.addEventListener("load", then);
    document.head.append(script);
  }

  /* --- where it stands --- */

  function show(link, parts) {
    if (!parts.length || asked !== link) return;
    clearTimeout(leaving);
    card.replaceChildren(...parts);
    for (const named of card.querySelectorAll("[id]")) named.removeAttribute("id");
    card.hidden = false;
    link.setAttribute("aria-describedby", card.id);
    const at = link.getBoundingClientRect();
    const wide = document.documentElement.clientWidth;
    const width = Math.min(420, wide - 24);
    card.style.width = width + "px";
    card.style.left = window.scrollX + Math.max(12, Math.min(at.left, wide - width - 12)) + "px";
    const below = at.bottom + card.offsetHeight + 12 < window.innerHeight || at.top < card.offsetHeight + 12;
    card.style.top = window.scrollY + (below ? at.bottom + 6 : at.top - card.offsetHeight - 6) + "px";
  }

  function ask(link, of) {
    asked = link;
    clearTimeout(leaving);
    if (of === ofClaim) show(link, of(link));
    else read(link, () => show(link, of(link)));
  }

  function hide() {
    asked = undefined;
    leaving = setTimeout(() => {
      card.hidden = true;
    }, 200);
  }

  const kinds = [
    ["a.claim-name", ofClaim],
    [".bd-article a.term", ofTerm],
    ['.bd-article a[href*="references.html#"]', ofPaper],
  ];
  for (const [selector, of] of kinds) {
    for (const link of document.querySelectorAll(selector)) {
      link.addEventListener("mouseenter", () => ask(link, of));
      link.addEventListener("focus", () => ask(link, of));
      link.addEventListener("mouseleave", hide);
      link.addEventListener("blur", hide);
    }
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
