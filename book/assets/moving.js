// Figures that answer the hand. What they need is loaded when the first of them comes near, from beside this file; a
// page that is read from a file may do that, too. What they show is on the page already, drawn when it was built.
//
// A drawing is a function genbook.live.NAME(element, data): `element` is the figure's <div class="moving">, `data` what
// stands in it as JSON. It calls genbook.controls(element, redraw), and redraws by the state that it is given.
(() => {
  const genbook = (window.genbook ??= {});
  genbook.live ??= {};
  const here = document.currentScript.src;
  const asked = {};

  function load(file) {
    return (asked[file] ??= new Promise((done, failed) => {
      const script = document.createElement("script");
      script.src = new URL(`moving/${file}`, here);
      script.onload = done;
      script.onerror = failed;
      document.head.append(script);
    }));
  }

  async function start(element) {
    for (const file of element.dataset.scripts.split(" ")) await load(file);
    const stored = element.querySelector('script[type="application/json"]');
    await genbook.live[element.dataset.draw](element, stored ? JSON.parse(stored.textContent) : {});
    element.dataset.alive = "yes";
  }

  // Let the native inputs of a figure speak: `redraw(state, moved)` at once and at each change. The state holds for
  // each input's data-name a number (range), true or false (checkbox), or what is chosen (radio, select).
  genbook.controls = (element, redraw) => {
    const inputs = [...element.querySelectorAll(".controls [data-name]")];
    const state = {};
    const read = input => {
      if (input.type === "checkbox") state[input.dataset.name] = input.checked;
      else if (input.type !== "radio") state[input.dataset.name] = input.type === "range" ? +input.value : input.value;
      else if (input.checked) state[input.dataset.name] = input.value;
      if (input.type !== "range") return;
      const words = input.dataset.words ? JSON.parse(input.dataset.words)[input.value - input.min] : input.value;
      input.setAttribute("aria-valuetext", words);
      const output = element.querySelector(`output[for="${input.id}"]`);
      if (output) output.textContent = words;
    };
    const changed = input => {
      const group = input.closest("[data-one-stays]");
      if (group && !group.querySelector(":checked")) input.checked = true;
      read(input);
      redraw(state, input.dataset.name);
    };
    for (const input of inputs) {
      input.addEventListener("input", () => changed(input));
      read(input);
    }
    for (const group of element.querySelectorAll("fieldset.controls")) group.disabled = false;
    redraw(state, "");
    return {
      state,
      // Move a control from elsewhere, such as by pointing into the drawing.
      move(name, value) {
        const all = inputs.filter(input => input.dataset.name === name);
        const input = all.find(one => one.type === "radio" && one.value === String(value)) ?? all[0];
        if (input.type === "radio" || input.type === "checkbox") {
          if (input.checked === (input.type === "radio" || value)) return;
          input.checked = input.type === "radio" || value;
        } else {
          if (String(input.value) === String(value)) return;
          input.value = value;
        }
        changed(input);
      },
    };
  };

  // A table of what is seen, made when it is opened: `rows()` are lists of texts, the first one the heads.
  genbook.table = (element, rows) => {
    const box = element.querySelector("details.seen-numbers");
    if (!box) return () => {};
    box.hidden = false;
    const fill = () => {
      if (!box.open) return;
      const table = document.createElement("table");
      table.className = "numbers";
      rows().forEach((row, k) => {
        const line = (k ? (table.tBodies[0] ?? table.createTBody()) : table.createTHead()).insertRow();
        for (const text of row) {
          const cell = document.createElement(k ? "td" : "th");
          cell.textContent = text;
          line.append(cell);
        }
      });
      box.querySelector("table")?.remove();
      box.append(table);
    };
    box.addEventListener("toggle", fill);
    return fill;
  };

  addEventListener("DOMContentLoaded", () => {
    const figures = document.querySelectorAll(".moving[data-draw]");
    const near = new IntersectionObserver(
      seen => {
        for (const { isIntersecting, target } of seen) {
          if (!isIntersecting) continue;
          near.unobserve(target);
          start(target);
        }
      },
      { rootMargin: "800px 0px" },
    );
    for (const figure of figures) near.observe(figure);
  });
})();
