// Examples that share one feature: what descent makes of them, by the closed forms of chapter 01.
(() => {
  // As genbook.studies.coherence.two_data_sets.theory has them.
  const toy = {
    coherence: (m, s) => (1 + m * s * s) / (1 + s * s),
    sharedPart: (m, s) => (m * s * s) / (1 + m * s * s),
    trainingOutput: (step, m, s, rate) => 1 - (1 - rate * (1 / m + s * s)) ** step,
    // the weights of an own feature and of the shared one
    weights(step, m, s, rate) {
      const own = toy.trainingOutput(step, m, s, rate) / (1 + m * s * s);
      return [own, m * s * own];
    },
  };
  (genbook.formulas ??= {}).toy = toy;

  genbook.live.toy = (element, { strengths, sizes, steps, rate }) => {
    const panels = genbook.clearPanels(element);
    const most = Math.max(...sizes);
    const bars = genbook.plot(panels, {
      x: [0, most + 1], y: [0, 1.05], xticks: [], ylabel: "weight", title: "weights", edge: { bottom: 28 },
    });
    const arrows = genbook.plot(panels, {
      x: [-1.5, 1.5], y: [-0.35, 2.5], xticks: [], ylabel: "along the shared feature", title: "gradients, one an example",
      edge: { bottom: 28 },
    });
    const runs = genbook.plot(panels, {
      wide: true, x: [0, Math.max(...steps)], y: [0, 1.15], xlabel: "steps", ylabel: "output times label", title: "outputs",
    });
    const seen = element.querySelector(".seen");
    let rows = [];
    const fill = genbook.table(element, () => [["what", "value"], ...rows]);

    genbook.controls(element, ({ strength_index, examples_index, step_index }) => {
      const [s, m, step] = [strengths[strength_index], sizes[examples_index], steps[step_index]];
      const [own, shared] = toy.weights(step, m, s, rate);
      bars.draw(make => {
        for (let k = 0; k < m; k++) make.bar(k + 0.1, k + 0.9, 0, own, "train");
        make.bar(most + 0.1, most + 0.9, 0, shared, "real");
        make.text([0.1, Math.min(own + 0.04, 0.98)], `own features: ${own.toFixed(2)} each`);
        make.text([most + 1, Math.min(shared + 0.04, 0.98)], `shared: ${shared.toFixed(2)}`, "text", "end");
      });
      arrows.draw(make => {
        for (let k = 0; k < m; k++) {
          const angle = (2 * Math.PI * (k + 0.5)) / m;
          make.arrow([Math.cos(angle), s + 0.3 * Math.sin(angle)], "train");
        }
        make.text([-1.45, 2.3], `two of them: ${Math.round(degrees(s))}\u00b0 apart`);
      });
      const course = every(runs.x.domain()[1]).map(t => [t, toy.trainingOutput(t, m, s, rate)]);
      const part = toy.sharedPart(m, s);
      runs.draw(make => {
        make.line(course, "train", { dash: "5 3" });
        make.line(course.map(([t, out]) => [t, part * out]), "test");
        const out = toy.trainingOutput(step, m, s, rate);
        make.line([[step, 0], [step, 1.15]], "reference", { width: 1 });
        make.dots([[step, out]], "train", 4);
        make.dots([[step, part * out]], "test", 4);
        const far = runs.x.domain()[1];
        make.text([far, course[course.length - 1][1] + 0.04], "training examples", "text", "end");
        make.text([far, part * course[course.length - 1][1] + (part > 0.82 ? -0.09 : 0.03)], "new example", "text", "end");
      });
      const out = toy.trainingOutput(step, m, s, rate);
      seen.textContent =
        `m-coherence is ${toy.coherence(m, s).toFixed(2)} of ${m}. After ${step} step${step === 1 ? "" : "s"} the training ` +
        `examples get ${out.toFixed(2)} of their label and the new one ${(part * out).toFixed(2)}.`;
      rows = [
        ["m-coherence", toy.coherence(m, s)],
        ["weight of an own feature", own],
        ["weight of the shared feature", shared],
        ["output of a training example", out],
        ["output of a new example", part * out],
      ].map(([what, value]) => [what, value.toFixed(3)]);
      fill();
    });
  };

  const every = end => d3.range(0, end + 0.5, 0.5);
  // between two gradients e_i + s u: the cosine is s² / (1 + s²)
  const degrees = s => (180 / Math.PI) * Math.acos((s * s) / (1 + s * s));
})();
