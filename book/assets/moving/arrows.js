// Six gradients in a plane, which the reader turns: their sum, and how many of them a step along it helps.
(() => {
  const arrows = {
    // ‖Σ g‖² / Σ ‖g‖², and how many gradients have a positive product with the sum
    measure(all) {
      const sum = [d3.sum(all, g => g[0]), d3.sum(all, g => g[1])];
      const squares = d3.sum(all, g => g[0] ** 2 + g[1] ** 2);
      const m = squares ? (sum[0] ** 2 + sum[1] ** 2) / squares : NaN;
      const helped = all.filter(g => g[0] * sum[0] + g[1] * sum[1] > 1e-9).length;
      return { sum, coherence: m, alpha: m / all.length, helped };
    },
  };
  (genbook.formulas ??= {}).arrows = arrows;

  genbook.live.arrows = (element, { sets, angles, lengths }) => {
    const panels = genbook.clearPanels(element);
    const plot = genbook.plot(panels, {
      wide: true, aspect: 4.4 / 9.2, x: [-3, 6.2], y: [-2, 2.4], xticks: [], yticks: [],
      edge: { left: 4, right: 4, top: 4, bottom: 4 },
    });
    plot.svg.selectAll("g > path, g > line").style("stroke", "none");
    const seen = element.querySelector(".seen");
    const fill = genbook.table(element, () => {
      const { sum } = arrows.measure(all);
      const told = (name, [x, y]) => [name, x.toFixed(2), y.toFixed(2), (x * sum[0] + y * sum[1]).toFixed(2)];
      return [
        ["gradient of example", "across", "up", "product with the sum"],
        ...all.map((g, k) => told(String(k + 1), g)),
        told("their sum", sum),
      ];
    });
    let all = sets.some.map(g => [...g]);
    let chosen = 0;
    const nearest = (values, value) => d3.minIndex(values, v => Math.abs(v - value));
    const moved = () => {
      const [x, y] = all[chosen];
      hand.move("angle_index", nearest(angles, (180 / Math.PI) * Math.atan2(y, x)));
      hand.move("length_index", nearest(lengths, Math.hypot(x, y)));
    };
    let hand = null;
    let asked = null; // while the sliders are set to an arrow, they do not set it

    function redraw() {
      const { sum, coherence, alpha, helped } = arrows.measure(all);
      plot.draw(make => {
        all.forEach((g, k) => make.arrow(g, k === chosen ? "random" : "train"));
        make.arrow(sum, "test");
        make.add("circle").attr("cx", make.x(0)).attr("cy", make.y(0)).attr("r", 3).style("fill", genbook.ink("axis"));
        make.text([sum[0] + 0.1, sum[1] + 0.05], "their sum");
        all.forEach((g, k) => {
          const away = 1 + 0.16 / Math.max(0.2, Math.hypot(...g));
          make.text([g[0] * away - 0.05, g[1] * away - 0.05], String(k + 1));
          make.add("circle").attr("cx", make.x(g[0])).attr("cy", make.y(g[1])).attr("r", 12)
            .attr("fill", "transparent").style("cursor", "grab").style("touch-action", "none").datum(k).call(drag);
        });
      });
      seen.textContent = Number.isFinite(coherence)
        ? `m-coherence is ${coherence.toFixed(2)} of ${all.length}, \u03b1 is ${alpha.toFixed(2)}; a small step along the sum ` +
          `helps ${helped} of the ${all.length} examples.`
        : "There is no gradient: everything is fitted.";
      fill();
    }

    const place = event => {
      const [x, y] = d3.pointer(event.sourceEvent, plot.svg.node());
      return [plot.x.invert(x), plot.y.invert(y)];
    };
    const drag = d3.drag().container(() => plot.svg.node())
      .on("drag", event => {
        chosen = event.subject.k ?? chosen;
        const [x, y] = place(event);
        const size = Math.min(Math.max(...lengths), Math.hypot(x, y)) / (Math.hypot(x, y) || 1);
        all[chosen] = [x * size, y * size];
        asked = all[chosen];
        hand.move("arrow", String(chosen + 1));
        moved();
        asked = null;
        redraw();
      })
      .subject((event, k) => ({ k, x: event.x, y: event.y }));

    hand = genbook.controls(element, (state, name) => {
      if (name === "set") all = sets[state.set].map(g => [...g]);
      if (name === "arrow") chosen = Number(state.arrow) - 1;
      if ((name === "set" || name === "arrow") && !asked) {
        asked = all[chosen];
        moved();
        asked = null;
      }
      if ((name === "angle_index" || name === "length_index") && !asked) {
        const [angle, length] = [angles[state.angle_index] * (Math.PI / 180), lengths[state.length_index]];
        all[chosen] = [length * Math.cos(angle), length * Math.sin(angle)];
      }
      if (!asked) redraw();
    });
  };
})();
