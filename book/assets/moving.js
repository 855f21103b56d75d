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
    return (element.hand = {
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
      // Move controls to a state {name: value}; sliders on their way through all that lies between, for who likes motion.
      glide(wanted) {
        const still = matchMedia("(prefers-reduced-motion: reduce)").matches;
        const said = element.querySelector(".seen");
        const from = Object.fromEntries(Object.keys(wanted).map(name => [name, state[name]]));
        const slides = name => typeof wanted[name] === "number" && typeof from[name] === "number";
        const run = (element.run = (element.run ?? 0) + 1); // one that begins later takes over
        const begun = performance.now();
        // nothing is read out before the figure has come to rest
        said?.setAttribute("aria-busy", "true");
        return new Promise(done => {
          const frame = now => {
            if (element.run !== run) return done();
            const part = still ? 1 : Math.min(1, (now - begun) / GLIDE);
            for (const [name, value] of Object.entries(wanted)) {
              this.move(name, slides(name) ? Math.round(from[name] + part * (value - from[name])) : value);
            }
            if (part < 1) return requestAnimationFrame(frame);
            said?.removeAttribute("aria-busy");
            done();
          };
          frame(begun);
        });
      },
    });
  };

  const GLIDE = 700; // milliseconds
  // The figure of that name, alive.
  const alive = name => {
    const element = document.getElementById(name).querySelector(".moving");
    return (element.started ??= start(element)).then(() => element);
  };

  const known = one => document.getElementById(one.dataset.figure);

  // Words in the text that set a figure: until this script comes, and where none does, they are words.
  function link(words) {
    const button = document.createElement("button");
    button.type = "button";
    button.className = "sets";
    button.append(...words.childNodes);
    button.title = "Sets the figure";
    button.dataset.figure = words.dataset.figure;
    button.addEventListener("click", async () => {
      const element = await alive(words.dataset.figure);
      const quiet = matchMedia("(prefers-reduced-motion: reduce)").matches;
      element.scrollIntoView({ block: "nearest", behavior: quiet ? "auto" : "smooth" });
      element.hand.glide(JSON.parse(words.dataset.state));
    });
    words.replaceWith(button);
  }

  // A task that is done with a figure's controls: whether it is done is told when the reader asks.
  function task(box) {
    const wanted = JSON.parse(box.dataset.right);
    const button = document.createElement("button");
    const told = document.createElement("span");
    button.type = "button";
    button.textContent = "Is it so?";
    told.setAttribute("role", "status");
    button.addEventListener("click", async () => {
      const { state } = (await alive(box.dataset.figure)).hand;
      const right = Object.entries(wanted).every(([name, values]) => values.includes(state[name]));
      told.className = right ? "right" : "not-yet";
      told.textContent = right ? "Yes: that is where the data have it." : "Not there: the data have it elsewhere.";
    });
    box.replaceChildren(button, " ", told);
    box.hidden = false;
  }

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
          target.started ??= start(target);
        }
      },
      { rootMargin: "800px 0px" },
    );
    for (const figure of figures) near.observe(figure);
    for (const words of document.querySelectorAll("span.sets[data-figure]")) if (known(words)) link(words);
    for (const box of document.querySelectorAll("span.task[data-figure]")) if (known(box)) task(box);
  });
})();
