// The search page: finds words, symbols by their names (alpha), claims and papers in window.bookSections.
addEventListener("DOMContentLoaded", () => {
  const LETTERS = ("alpha beta gamma delta epsilon zeta eta theta iota kappa lambda mu nu xi omicron pi rho sigma sigma " +
    "tau upsilon phi chi psi omega").split(" ");
  const VARIANTS = { "ϕ": "phi", "ϵ": "epsilon", "ϑ": "theta", "ϱ": "rho", "ℓ": "ell", "∇": "nabla", "√": "sqrt" };
  const WORD = /[\p{L}\p{N}]/u;

  // letters in small, symbols by name, American endings: what one types and what stands there come out alike
  const plain = text => text.normalize("NFKD").toLowerCase()
    .replace(/\\([a-z]+)/g, " $1 ")
    .replace(/[α-ω]/g, letter => ` ${LETTERS[letter.charCodeAt(0) - 945]} `)
    .replace(/[ϕϵϑϱℓ∇√]/g, letter => ` ${VARIANTS[letter]} `)
    .replace(/\p{M}/gu, "")
    .replace(/is(ation|ations|e|ed|es|ing|er|able)\b/g, "iz$1")
    .replace(/([bv])our\b/g, "$1or");
  const words = query => plain(query).split(/\s+/).filter(word => WORD.test(word));
  const at = (text, word) => {
    for (let from = text.indexOf(word); from >= 0; from = text.indexOf(word, from + 1)) {
      if (from === 0 || !WORD.test(text[from - 1])) return from;
    }
    return -1;
  };

  const params = new URLSearchParams(location.search);
  const field = document.querySelector("form.bd-search:not(dialog form) input");
  const status = document.getElementById("found");
  const list = document.getElementById("results");
  const sections = window.bookSections.map(([page, anchor, book, title, text]) => ({
    page, anchor, book, title, text,
    plainTitle: plain(`${title} ${anchor.replace(/^claim-|^fig-/, "")}`), plainPage: plain(book), plainText: plain(text),
  }));

  const score = (section, asked) => {
    let sum = 0;
    for (const word of asked) {
      const inTitle = at(section.plainTitle, word) >= 0, inText = at(section.plainText, word) >= 0;
      const inPage = at(section.plainPage, word) >= 0;
      if (!inTitle && !inText && !inPage) return 0;
      sum += (inTitle ? 8 : 0) + (inText ? 3 : 0) + (inPage ? 1 : 0);
    }
    const whole = asked.join(" ");
    return sum + (section.plainTitle === whole ? 20 : 0) + (asked.length > 1 && section.plainText.includes(whole) ? 5 : 0);
  };

  const excerpt = (section, asked) => {
    const shown = document.createElement("p");
    const pieces = section.text.split(/(?<=\s)/);
    const hit = piece => asked.some(word => at(plain(piece).trim(), word) >= 0);
    let first = pieces.findIndex(hit);
    first = Math.max(0, first - 12);
    if (first > 0) shown.append("… ");
    for (const piece of pieces.slice(first, first + 40)) {
      if (hit(piece)) {
        const mark = document.createElement("mark");
        mark.textContent = piece.trimEnd();
        shown.append(mark, " ");
      } else shown.append(piece);
    }
    if (first + 40 < pieces.length) shown.append("…");
    return shown;
  };

  const search = query => {
    const asked = words(query);
    list.replaceChildren();
    status.textContent = "";
    if (!asked.length) return;
    const found = sections.map(section => [score(section, asked), section]).filter(([points]) => points > 0)
      .sort((one, other) => other[0] - one[0]);
    status.textContent = found.length ? `${found.length} place${found.length > 1 ? "s" : ""}` : "Nothing found.";
    for (const [, section] of found.slice(0, 50)) {
      const item = document.createElement("li"), link = document.createElement("a");
      link.href = `${section.page}#${section.anchor}`;
      link.textContent = section.title === section.book ? section.title : `${section.book}: ${section.title}`;
      item.append(link, excerpt(section, asked));
      list.append(item);
    }
  };

  field.value = params.get("q") || "";
  field.focus();
  field.form.addEventListener("submit", event => {
    event.preventDefault();
    history.replaceState(null, "", `?q=${encodeURIComponent(field.value)}`);
    search(field.value);
  });
  search(field.value);
});
