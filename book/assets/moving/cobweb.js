// A learning rate that cannot settle: the recursion of chapter 05 visit by visit, and what it does to a weak feature.
(() => {
  // As genbook.studies.steps.benign_oscillation.theory has them.
  const bounce = {
    recursion: (output, c) => output * (1 + c * (1 - output)) ** 2,
    curvature: rate => 4 * rate,
    unstable: 1,
    escapes: 1.5 * Math.sqrt(3) - 1,
    // the outputs on `visits` visits, and the logarithm of what the weak feature has grown by until each of them
    orbit(rate, ratio, start, visits) {
      const c = bounce.curvature(rate);
      const outputs = [start];
      const grown = [0];
      for (let k = 0; k < visits; k++) {
        const output = outputs[k];
        outputs.push(bounce.recursion(output, c));
        grown.push(grown[k] + Math.log(Math.abs(1 + ratio * ratio * c * (1 - output))));
      }
      return { outputs, grown };
    },
  };
  (genbook.formulas ??= {}).bounce = bounce;

  genbook.live.cobweb = (element, { rates, visits, ratio, start, long }) => {
    const panels = genbook.clearPanels(element);
    const web = genbook.plot(panels, { x: [0, 2.1], y: [0, 2.1], xlabel: "output now", ylabel: "output after a step", title: "the map" });
    const time = genbook.plot(panels, { x: [0, 60], y: [0, 2.1], xlabel: "visits", ylabel: "output", title: "the orbit" });
    const weak = genbook.plot(panels, { wide: true, x: [0, long], y: [-0.5, 6], xlabel: "visits", ylabel: "log growth", title: "the weak feature" });
    const seen = element.querySelector(".seen");
    let rows = [];
    const fill = genbook.table(element, () => [["visit", "output", "log growth of the weak feature"], ...rows]);
    genbook.controls(element, ({ rate_index, visits_index }) => {
      const [rate, shown] = [rates[rate_index], visits[visits_index]];
      const c = bounce.curvature(rate);
      const { outputs, grown } = bounce.orbit(rate, ratio, start, long);
      // beyond this projections change sign, and the recursion is no longer what descent does
      const out = outputs.findIndex(v => !(v <= 1 + 1 / c));
      const bounded = out < 0;
      const last = bounded ? shown : Math.min(shown, out);
      const colour = c > bounce.unstable ? "random" : "control";
      web.draw(make => {
        make.line([[0, 0], [2.1, 2.1]], "reference", { width: 1 });
        make.line(d3.range(0, 2.1, 0.02).map(v => [v, bounce.recursion(v, c)]), "theory", { width: 1.6 });
        const path = [];
        for (let k = 0; k < last; k++) path.push([outputs[k], outputs[k]], [outputs[k], outputs[k + 1]]);
        make.line(path, colour, { width: 1.2 });
      });
      time.rescale({ x: [0, Math.max(20, shown)] });
      time.draw(make => {
        make.line([[0, 1], [Math.max(20, shown), 1]], "reference", { width: 1 });
        const some = outputs.slice(0, last + 1).map((v, k) => [k, v]);
        make.line(some, colour, { width: 1 });
        make.dots(some, colour, 2.2);
      });
      const every = Math.ceil(long / 300);
      const course = bounded ? grown.map((v, k) => [k, v]).filter((_, k) => k % every === 0) : [];
      weak.draw(make => make.line(course, colour));
      const settles = c <= bounce.unstable;
      seen.textContent = !bounded
        ? `At the rate ${rate.toFixed(2)} the orbit escapes after ${out.toLocaleString("en")} visits: a step goes so far that projections change sign.`
        : `At the rate ${rate.toFixed(2)} the output ` +
          (settles ? "settles at its label" : `goes on between ${d3.min(outputs.slice(-200)).toFixed(2)} and ${d3.max(outputs.slice(-200)).toFixed(2)}`) +
          `; in ${long.toLocaleString("en")} visits the weak feature grows by a factor of ${d3.format(",.3~g")(Number(Math.exp(grown[long]).toPrecision(3)))}.`;
      rows = d3.range(last + 1).map(k => [String(k), outputs[k].toFixed(3), grown[k].toFixed(4)]);
      fill();
    });
  };
})();
