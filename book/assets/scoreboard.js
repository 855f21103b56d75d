/* The scoreboard in the reader's hand: filter and sort the claims, move a threshold and see the verdicts follow.
   Without this script the page is whole; with it nothing is loaded from anywhere. */

(function () {
  "use strict";

  const tables = Array.from(document.querySelectorAll("table.claims"));
  const place = document.getElementById("scoreboard-tools");
  if (!place || !tables.length) return;

  const rows = tables.flatMap((table) => Array.from(table.tBodies[0].rows));
  rows.forEach((row, index) => {
    row.order = index;
    row.words = row.textContent.toLowerCase();
    row.asked = Number(row.dataset.threshold);
    row.original = row.dataset.fate;
  });

  /* --- verdicts: as genbook.base.claims.decide has them --- */

  function decide(low, high, relation, threshold) {
    if (relation === ">") return low > threshold ? "holds" : high < threshold ? "fails" : "undecided";
    return high < threshold ? "holds" : low > threshold ? "fails" : "undecided";
  }

  function fateOf(discovery, replication, otherwise) {
    if (discovery !== "holds") return discovery === "fails" || discovery === "undecided" ? discovery + " in discovery" : otherwise;
    if (replication === "holds") return "replicated";
    if (replication === "fails" || replication === "undecided") return replication + " in the replication";
    return replication || otherwise;
  }

  function cellOf(row, title) {
    return Array.from(row.cells).find((cell) => cell.dataset.label === title);
  }

  /* The verdict that a row shows in a setting, empty where it has none. */
  function verdictIn(row, title) {
    const badge = cellOf(row, title) && cellOf(row, title).querySelector(".verdict");
    return badge ? badge.textContent : "";
  }

  function judgeAgain(row, threshold) {
    for (const cell of row.querySelectorAll("td[data-low]")) {
      const verdict = decide(Number(cell.dataset.low), Number(cell.dataset.high), row.dataset.relation, threshold);
      const badge = cell.querySelector(".verdict");
      badge.textContent = verdict;
      badge.className = "verdict " + verdict;
    }
    const now = () => fateOf(verdictIn(row, "Discovery"), verdictIn(row, "Replication"), row.original);
    row.dataset.fate = threshold === row.asked ? row.original : now();
    row.moved = threshold !== row.asked;
    row.classList.toggle("moved", row.moved);
  }

  /* --- a slider for each threshold whose verdict an interval decides --- */

  function sliderFor(row) {
    const cells = Array.from(row.querySelectorAll("td[data-low]"));
    if (!cells.length || row.dataset.relation === "=") return;
    const ends = cells.flatMap((cell) => [Number(cell.dataset.low), Number(cell.dataset.high)]).concat(row.asked);
    const logarithmic = row.dataset.scale === "log" && ends.every((end) => end > 0);
    const to = logarithmic ? Math.log : (value) => value;
    const from = logarithmic ? Math.exp : (value) => value;
    let low = Math.min(...ends.map(to));
    let high = Math.max(...ends.map(to));
    const margin = (high - low || 1) * 0.15;
    low -= margin;
    high += margin;

    const label = document.createElement("label");
    label.className = "threshold";
    const input = document.createElement("input");
    input.type = "range";
    input.min = 0;
    input.max = 400;
    input.value = ((to(row.asked) - low) / (high - low)) * 400;
    const output = document.createElement("output");
    const back = document.createElement("button");
    back.type = "button";
    back.textContent = "as asked";
    back.hidden = true;
    label.append("threshold ", input);
    const item = document.createElement("li");
    item.append(label, output, back);
    row.querySelector("details.evidence ul").prepend(item);

    function tell(threshold) {
      const words = row.dataset.relation + " " + Number(threshold.toPrecision(3));
      output.textContent = words;
      input.setAttribute("aria-valuetext", words);
      back.hidden = !row.moved;
    }
    input.addEventListener("input", () => {
      const threshold = from(low + (input.value / 400) * (high - low));
      judgeAgain(row, threshold);
      tell(threshold);
      count();
    });
    back.addEventListener("click", () => {
      input.value = ((to(row.asked) - low) / (high - low)) * 400;
      judgeAgain(row, row.asked);
      tell(row.asked);
      count();
      input.focus();
    });
    tell(row.asked);
  }

  rows.forEach((row) => {
    const details = row.querySelector("details.evidence");
    if (details) details.addEventListener("toggle", () => sliderFor(row), { once: true });
  });

  /* --- filter, sort, count --- */

  const fates = Array.from(document.querySelectorAll(".fates-legend li")).map((item) => item.textContent.trim());
  const origins = { "": "of any origin", paper: "said by the paper", consequence: "a consequence of it", ours: "this book's own" };
  const settings = { "": "discovery, then replication", Discovery: "discovery alone", Replication: "replication alone" };
  /* in the words of a count, and in the colour of which fate, a verdict in one setting is told */
  const verdicts = {
    holds: ["hold", "replicated"], undecided: ["undecided", "undecided-in-discovery"], fails: ["fail", "fails-in-discovery"],
  };
  const orders = { page: "in the order of the book", fate: "by what became of them", id: "by name" };

  function choice(words, options) {
    const label = document.createElement("label");
    const select = document.createElement("select");
    for (const [value, text] of options) select.add(new Option(text, value));
    label.append(words, " ", select);
    place.append(label);
    select.addEventListener("change", show);
    return select;
  }

  const search = document.createElement("input");
  search.type = "search";
  const searchLabel = document.createElement("label");
  searchLabel.append("words ", search);
  place.append(searchLabel);
  search.addEventListener("input", show);
  const fate = choice("fate", [["", "any fate"], ...fates.map((name) => [name, name])]);
  const origin = choice("origin", Object.entries(origins));
  const setting = choice("judged by", Object.entries(settings));
  const order = choice("order", Object.entries(orders));
  const told = document.createElement("p");
  told.setAttribute("role", "status");
  place.append(told);
  place.hidden = false;

  function show() {
    const words = search.value.toLowerCase().split(/\s+/).filter(Boolean);
    for (const row of rows) {
      row.hidden =
        !words.every((word) => row.words.includes(word)) ||
        (fate.value && row.dataset.fate !== fate.value) ||
        (origin.value && row.dataset.origin !== origin.value);
    }
    const keys = {
      page: (row) => row.order,
      fate: (row) => fates.indexOf(row.dataset.fate) * 1e4 + row.order,
      id: (row) => row.querySelector("summary code").textContent,
    };
    const key = keys[order.value];
    for (const table of tables) {
      const sorted = Array.from(table.tBodies[0].rows).sort((one, other) => (key(one) < key(other) ? -1 : 1));
      table.tBodies[0].append(...sorted);
      const section = table.closest("section");
      if (section && section.id !== "all-claims") section.hidden = sorted.every((row) => row.hidden);
    }
    count();
  }

  /* A fate that no claim had until a threshold was moved: the legend and the filter did not have it. */
  function admit(name) {
    if (!name || fates.includes(name)) return;
    fates.push(name);
    fate.add(new Option(name, name));
    const item = document.createElement("li");
    const square = document.createElement("span");
    square.className = name.replaceAll(" ", "-");
    item.append(square, name);
    document.querySelector(".fates-legend").append(item);
  }

  function count() {
    const shown = rows.filter((row) => !row.hidden);
    const moved = rows.filter((row) => row.moved).length;
    const alone = setting.value;
    const became = (row) => (alone ? verdictIn(row, alone) || "not run" : row.dataset.fate || "not judged");
    if (!alone) rows.forEach((row) => admit(row.dataset.fate));
    const found = alone ? [...new Set([...Object.keys(verdicts), ...shown.map(became)])] : [...fates, "not judged"];
    const parts = found
      .map((name) => [(verdicts[name] || [name])[0], shown.filter((row) => became(row) === name).length])
      .filter(([, number]) => number)
      .map(([name, number]) => number + " " + (number > 1 ? name.replace(/^fails/, "fail") : name));
    told.textContent =
      shown.length + " of " + rows.length + " claims" + (parts.length ? ": " + parts.join(", ") : "") +
      (moved ? " (with " + moved + " threshold" + (moved > 1 ? "s" : "") + " of yours)" : "") + ".";
    for (const unit of document.querySelectorAll(".unit-chart a")) {
      const row = document.getElementById(unit.getAttribute("href").slice(1));
      if (!row) continue;
      const like = alone ? (verdicts[became(row)] || ["", "not-run"])[1] : row.dataset.fate;
      unit.className = like.replaceAll(" ", "-");
    }
  }

  count();
})();
