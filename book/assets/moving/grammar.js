// Draw a figure that is a specification for each panel: Vega draws them, and the figure's controls are their signals.
(() => {
  function rowsOf(columns) {
    const names = Object.keys(columns);
    const whole = names.map(name => {
      const column = columns[name];
      return Array.isArray(column) ? column : column.at.map(k => column.of[k]);
    });
    return (whole[0] ?? []).map((_, k) => Object.fromEntries(names.map((name, j) => [name, whole[j][k]])));
  }

  // All drawn things of a view: marks' items, with what they were drawn from.
  function* itemsOf(mark) {
    for (const item of mark.items ?? []) {
      if (mark.marktype === "group") for (const inner of item.items ?? []) yield* itemsOf(inner);
      else yield [mark, item];
    }
  }
  const marks = view => [...itemsOf(view.scenegraph().root)];

  genbook.live.grammar = async (element, stored) => {
    const tables = Object.fromEntries(Object.entries(stored.data).map(([name, columns]) => [name, rowsOf(columns)]));
    const panels = [...element.querySelectorAll(".panel")];
    const make = (spec, options) => {
      const view = new vega.View(vega.parse(spec), { logLevel: vega.Error, ...options });
      for (const { name } of spec.data ?? []) if (tables[name]) view.data(name, tables[name]);
      return view;
    };
    const views = stored.panels.map((spec, k) => {
      const view = make(spec, { renderer: "svg", hover: false });
      const holder = document.createElement("div");
      return { view, holder, spec, panel: panels[k] };
    });
    const words = stored.words && make(stored.words, { renderer: "none" });
    const all = [...views.map(one => one.view), ...(words ? [words] : [])];
    const names = all.map(view => new Set(Object.keys(view.getState().signals)));
    const said = element.querySelector(".seen");

    const read = () => {
      if (!words) return;
      const parts = marks(words).map(([mark, item]) => (mark.marktype === "text" ? item.text : ""));
      const text = parts.filter(Boolean).join(" ").replace(/ +/g, " ");
      if (said && text && said.textContent !== text) said.textContent = text;
    };

    // What the table of numbers tells: what the things of its mark were drawn from. A mark in a layer within a layer has
    // a number in its name.
    const told = new RegExp(`^${stored.table.mark.replace(/_marks$/, "")}(_\\d+)?_marks$`);
    element.seen = () =>
      all.flatMap(view =>
        marks(view)
          .filter(([mark]) => told.test(mark.name))
          .map(([, item]) => item.datum),
      );
    element.drawn = () => redrawing;
    let controls;
    let redrawing = Promise.resolve();
    const fill = genbook.table(element, () => {
      const { columns } = stored.table;
      const locale = vega.defaultLocale();
      const cell = (row, [field, , format]) => {
        const value = row[field];
        if (value == null || Number.isNaN(value)) return "";
        return format && typeof value === "number" ? locale.format(format)(value) : String(value);
      };
      return [columns.map(column => column[1]), ...element.seen().map(row => columns.map(column => cell(row, column)))];
    });
    const redraw = state => {
      for (const [name, value] of Object.entries(state)) {
        all.forEach((view, k) => names[k].has(name) && view.signal(name, value));
      }
      redrawing = Promise.all(all.map(view => view.runAsync())).then(() => {
        read();
        fill();
        element.dispatchEvent(new CustomEvent("redrawn"));
      });
      return redrawing;
    };

    for (const { view, holder } of views) view.initialize(holder);
    if (words) words.initialize();
    controls = genbook.controls(element, redraw);
    await redrawing;
    for (const { holder, panel } of views) panel.replaceChildren(...holder.children);
    views.forEach(one => answer(one, controls));
    element.views = all;
  };

  // What a panel does where it is pointed at: it moves a control to the place under the pointer, or to the thing there.
  function answer({ view, panel }, controls) {
    const { moves, picks } = panel.dataset;
    if (moves) {
      const steps = JSON.parse(panel.dataset.steps);
      const at = event => {
        const svg = panel.querySelector("svg");
        const box = svg.getBoundingClientRect();
        const x = ((event.clientX - box.left) * svg.viewBox.baseVal.width) / box.width - view.origin()[0];
        const scale = view.scale("x");
        const far = steps.map(step => Math.abs(scale(step) - x)).map(d => (Number.isNaN(d) ? Infinity : d));
        controls.move(moves, far.indexOf(Math.min(...far)));
      };
      panel.addEventListener("pointerdown", event => {
        panel.setPointerCapture(event.pointerId);
        at(event);
      });
      panel.addEventListener("pointermove", event => event.buttons && at(event));
    }
    if (picks) {
      const pairs = JSON.parse(picks);
      const told = item => item?.datum && pairs.every(([field]) => field in item.datum);
      const go = values => pairs.forEach(([, control], k) => controls.move(control, values[k]));
      let kept = null;
      view.addEventListener("mouseover", (event, item) => {
        if (!told(item)) return;
        kept ??= pairs.map(([, control]) => controls.state[control]);
        go(pairs.map(([field]) => item.datum[field]));
      });
      view.addEventListener("mouseout", (event, item) => {
        if (told(item) && kept) go(kept);
        kept = null;
      });
      view.addEventListener("click", (event, item) => {
        if (!told(item)) return;
        kept = null;
        go(pairs.map(([field]) => item.datum[field]));
      });
    }
  }
})();
