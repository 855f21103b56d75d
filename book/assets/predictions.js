/* The reader's predictions: the list in a box "Your prediction" becomes a question, and what was answered stands beside
   the next result. It is kept in this browser alone. Without this script the box is a question with its possible answers. */

(function () {
  "use strict";

  const article = document.querySelector(".bd-article");
  if (!article) return;
  const page = location.pathname.split("/").pop();
  const results = [...article.querySelectorAll("figure, table.claims")];

  const kept = {
    read(key) {
      try { return localStorage.getItem(key); } catch { return null; }
    },
    write(key, value) {
      try {
        if (value === null) localStorage.removeItem(key);
        else localStorage.setItem(key, value);
      } catch { /* a browser that keeps nothing lets predict all the same */ }
    },
  };

  /* Words that two boxes do not share: a question that is asked anew is open again. */
  function keyOf(box) {
    let hash = 0;
    for (const letter of box.textContent.replace(/\s+/g, " ")) hash = (hash * 31 + letter.codePointAt(0)) | 0;
    return "genbook prediction " + page + " " + (hash >>> 0).toString(36);
  }

  function element(name, className, text) {
    const made = document.createElement(name);
    if (className) made.className = className;
    if (text) made.textContent = text;
    return made;
  }

  /* --- the question --- */

  function choices(box, list, name, take) {
    for (const item of list.children) {
      const label = element("label", "choice");
      const input = element("input");
      input.type = "radio";
      input.name = name;
      input.value = item.textContent.trim();
      const words = element("span");
      words.append(...(item.firstElementChild?.matches("p") ? item.firstElementChild : item).cloneNode(true).childNodes);
      label.append(input, words);
      input.addEventListener("change", () => take(input.value));
      box.append(label);
    }
    return value => {
      for (const input of box.querySelectorAll("input")) input.checked = input.value === value;
    };
  }

  /* "half of them … all of them": anywhere between the two. */
  function slider(box, ends, name, take) {
    const [low, high] = ends;
    const label = element("label", "between");
    const input = element("input");
    const output = element("output");
    input.type = "range";
    input.name = name;
    input.min = 0;
    input.max = 20;
    input.value = 10;
    input.setAttribute("aria-label", "from " + low + " to " + high);
    const told = () => {
      const part = 5 * Number(input.value);
      return part === 0 ? low : part === 100 ? high : part + "% of the way from “" + low + "” to “" + high + "”";
    };
    const show = () => {
      output.textContent = told();
      input.setAttribute("aria-valuetext", told());
    };
    label.append(element("span", "", low), input, element("span", "", high));
    box.append(label, output);
    input.addEventListener("input", show);
    input.addEventListener("change", () => {
      show();
      take(told());
    });
    input.setAttribute("aria-valuetext", "not chosen yet");
    return value => {
      const part = value === low ? 0 : value === high ? 100 : parseInt(value ?? "50", 10);
      input.value = (Number.isNaN(part) ? 50 : part) / 5;
      if (value === null) output.textContent = "";
      else show();
    };
  }

  /* --- what was said, beside the result --- */

  function noteBefore(box) {
    const result = results.find(one => box.compareDocumentPosition(one) & Node.DOCUMENT_POSITION_FOLLOWING);
    if (!result) return () => {};
    const note = element("p", "predicted");
    note.hidden = true;
    const back = element("a", "", "change it");
    back.href = "#" + (box.id ||= "prediction-" + (1 + boxes.indexOf(box)));
    const words = element("strong");
    note.append("You predicted: ", words, " (", back, ").");
    const place = result.closest(".cell, .claims-frame") ?? result;
    place.before(note);
    return value => {
      note.hidden = value === null;
      words.textContent = value ?? "";
    };
  }

  const boxes = [...article.querySelectorAll(".admonition.prediction")];
  boxes.forEach((box, number) => {
    const list = box.querySelector(":scope > ul:last-child");
    if (!list) return;
    const key = keyOf(box);
    const name = "prediction-" + number;
    const form = element("fieldset", "answers");
    form.append(element("legend", "", "Your answer"));
    const tell = noteBefore(box);
    const noted = element("p", "noted");
    noted.setAttribute("role", "status");
    const away = element("button", "", "take it back");
    away.type = "button";
    const take = value => {
      kept.write(key, value);
      tell(value);
      away.hidden = value === null;
      noted.textContent = value === null ? "" : "Noted, in this browser alone. It stands beside the result.";
    };
    const ends = list.children.length === 1 ? list.textContent.trim().split(" … ") : [];
    const set = ends.length === 2 ? slider(form, ends, name, take) : choices(form, list, name, take);
    away.addEventListener("click", () => {
      take(null);
      set(null);
      form.querySelector("input").focus();
    });
    const before = kept.read(key);
    list.replaceWith(form);
    form.append(away, noted);
    away.hidden = before === null;
    if (before !== null) {
      set(before);
      tell(before);
    }
  });
})();
