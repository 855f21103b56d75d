// The linear student of chapter 06: its error against samples per weight at any time, noise and ridge, by the formulas.
(() => {
  // As genbook.studies.descent.linear_teacher.theory has them.
  const nodes = d3.range(500).map(k => (k + 0.5) / 500);
  const known = new Map();
  const student = {
    // nodes of an integral over the nonzero eigenvalues, with their weights
    bulk(ratio) {
      if (known.has(ratio)) return known.get(ratio);
      const least = (1 - Math.sqrt(ratio)) ** 2;
      const made = nodes.map(s => {
        const phi = Math.PI * s ** 3;
        const eigenvalue = least + 4 * Math.sqrt(ratio) * Math.sin(phi / 2) ** 2;
        const weight = (((2 * ratio * Math.sin(phi) ** 2) / (Math.PI * eigenvalue)) * 3 * Math.PI * s * s) / nodes.length;
        return [eigenvalue, weight];
      });
      known.set(ratio, made);
      return made;
    },
    error(ratio, time, snr, decay) {
      const cost = eigenvalue => {
        const speed = eigenvalue + decay;
        const gain = speed > 0 ? -Math.expm1(-speed * time) / speed : time;
        return snr * (1 - eigenvalue * gain) ** 2 + eigenvalue * gain * gain;
      };
      return 1 + d3.sum(student.bulk(ratio), ([at, weight]) => weight * cost(at)) + Math.max(0, 1 - ratio) * cost(0);
    },
    // density of the eigenvalues that are not zero, and the part of its way that a mode has come
    density(ratio, at) {
      const [low, high] = [(1 - Math.sqrt(ratio)) ** 2, (1 + Math.sqrt(ratio)) ** 2];
      return at <= low || at >= high ? 0 : Math.sqrt((at - low) * (high - at)) / (2 * Math.PI * at);
    },
    learned: (at, time, decay) => (at / (at + decay || 1)) * -Math.expm1(-(at + decay) * time),
  };
  (genbook.formulas ??= {}).student = student;

  genbook.live.student = (element, { times, snrs, ridges, ratios, measured, at }) => {
    const panels = genbook.clearPanels(element);
    const errors = genbook.plot(panels, {
      x: [0.24, 4.2], y: [1, 400], xlog: true, ylog: true, xticks: [0.25, 0.5, 1, 2, 4],
      xformat: d => ({ 0.25: "1/4", 0.5: "1/2" })[d] ?? String(d), xlabel: "samples per weight, \u03b1", ylabel: "test error, of the noise",
      title: "error of the student",
    });
    const modes = genbook.plot(panels, {
      x: [0, 5], y: [0, 1], xlabel: "eigenvalue \u03bb", ylabel: "density of the modes", title: "what is learned by then",
    });
    const grid = d3.range(-2, 2.001, 0.04).map(e => 2 ** e);
    const seen = element.querySelector(".seen");
    let rows = [];
    const fill = genbook.table(element, () => [["samples per weight", "error by the formula", "of trained students"], ...rows]);
    genbook.controls(element, ({ time_index, snr_index, ridge_index, ratio_index }) => {
      const [time, snr, ridge, ratio] = [times[time_index], snrs[snr_index], ridges[ridge_index], ratios[ratio_index]];
      const here = student.error(ratio, time, snr, ridge);
      const asMeasured = snr === at.snr && ridge === at.decay;
      errors.draw(make => {
        make.line([[ratio, 1], [ratio, 400]], "reference", { width: 1 });
        make.line(grid.map(a => [a, student.error(a, time, snr, ridge)]), "theory", { width: 1.8 });
        if (asMeasured) make.dots(measured.ratios.map((a, k) => [a, measured.errors[time_index][k]]), "test", 4);
        make.dots([[ratio, here]], "random", 4.5);
      });
      const [low, high] = [(1 - Math.sqrt(ratio)) ** 2, (1 + Math.sqrt(ratio)) ** 2];
      const spread = d3.range(0, 1.0001, 0.004).map(u => low + (high - low) * u ** 2);
      const tall = Math.min(2.5, 1.1 * d3.max(spread, l => student.density(ratio, l)));
      modes.rescale({ x: [0, Math.max(2, high * 1.05)], y: [0, tall] });
      modes.draw(make => {
        const area = d3.area().x(p => make.x(p[0])).y0(make.y(0)).y1(p => make.y(Math.min(p[1], 10)));
        const fill = (points, name, opacity) =>
          make.add("path").attr("d", area(points)).style("fill", genbook.ink(name)).attr("fill-opacity", opacity);
        fill(spread.map(l => [l, student.density(ratio, l)]), "control", 0.35);
        fill(spread.map(l => [l, student.density(ratio, l) * student.learned(l, time, ridge)]), "test", 0.75);
        if (ratio < 1) make.text([Math.max(2, high * 1.05), tall * 0.93], `${Math.round(100 * (1 - ratio))}% of the modes: \u03bb = 0`, "text", "end");
      });
      seen.textContent =
        `At time ${d3.format(",.3~r")(time)} and \u03b1 = ${d3.format(".3~r")(ratio)} the error is ` +
        `${d3.format(",.3~r")(here)} times the noise` +
        (asMeasured ? "; dots: students that were trained." : ".");
      const plain = d3.format(".4~g");
      const trained = a => (asMeasured && measured.ratios.includes(a) ? measured.errors[time_index][measured.ratios.indexOf(a)] : null);
      rows = d3.sort(new Set([...ratios, ...measured.ratios])).map(a => [
        plain(a), plain(student.error(a, time, snr, ridge)), trained(a) === null ? "" : plain(trained(a)),
      ]);
      fill();
    });
  };
})();
