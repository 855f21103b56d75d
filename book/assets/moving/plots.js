// Axes and marks for figures that are computed in the page, in the book's look: d3 draws, the page's variables colour.
(() => {
  const usual = { text: "#222222", axis: "#555555", grid: "#DCDCDC" };
  const named = {
    real: "#0072B2", random: "#D55E00", clean: "#009E73", corrupted: "#9C2F74", train: "#A87B00", test: "#54459C",
    theory: "#222222", control: "#8A8A8A", reference: "#767676",
  };
  genbook.ink = name => `var(--fig-${name}, ${usual[name] ?? named[name]})`;

  // An empty place for the drawing, where the picture stood that came with the page.
  genbook.clearPanels = element => {
    const panels = element.querySelector(".panels");
    panels.replaceChildren();
    return panels;
  };

  // A panel with two axes; `wide`: as the column, where that has the room; `aspect`: its height over its width; `x` and
  // `y`: the ends of each axis, which `rescale` changes. `draw(what)` draws all anew: `what(make)` is handed the marks.
  genbook.plot = (panels, options) => {
    const { xlabel = "", ylabel = "", title = "", xlog = false, ylog = false } = options;
    const wide = options.wide && panels.clientWidth >= 600;
    const [width, height] = [wide ? 680 : 330, options.aspect ? (wide ? 680 : 330) * options.aspect : wide ? 240 : 260];
    const edge = { left: 46, right: 20, top: 24, bottom: 42, ...options.edge };
    const holder = d3.select(panels).append("div").attr("class", wide ? "panel wide" : "panel");
    const svg = holder.append("svg").attr("viewBox", `0 0 ${width} ${height}`).style("font-size", "11px");
    const scale = (log, ends, range) => (log ? d3.scaleLog() : d3.scaleLinear()).domain(ends).range(range);
    const x = scale(xlog, options.x, [edge.left, width - edge.right]);
    const y = scale(ylog, options.y, [height - edge.bottom, edge.top]);
    const words = (at, text, anchor) =>
      svg.append("text").attr("transform", at).attr("text-anchor", anchor).style("fill", genbook.ink("text")).text(text);
    words(`translate(${(edge.left + width - edge.right) / 2}, ${height - 6})`, xlabel, "middle");
    words(`translate(12, ${(edge.top + height - edge.bottom) / 2}) rotate(-90)`, ylabel, "middle");
    words(`translate(${edge.left}, 12)`, title, "start");
    const across = svg.append("g").attr("transform", `translate(0, ${height - edge.bottom})`);
    const up = svg.append("g").attr("transform", `translate(${edge.left}, 0)`);
    const clip = `clip-${Math.random().toString(36).slice(2)}`;
    svg.append("clipPath").attr("id", clip).append("rect").attr("x", edge.left).attr("y", edge.top - 2)
      .attr("width", width - edge.left - edge.right).attr("height", height - edge.top - edge.bottom + 4);
    const drawn = svg.append("g").attr("clip-path", `url(#${clip})`);
    const above = svg.append("g");

    const plain = d => (Math.abs(Math.log10(d) % 1) < 1e-6 ? d3.format(d >= 1e4 || d < 1e-2 ? ".0e" : "~r")(d) : "");
    function rescale(ends = {}) {
      if (ends.x) x.domain(ends.x);
      if (ends.y) y.domain(ends.y);
      const bottom = d3.axisBottom(x).tickSizeOuter(0);
      const left = d3.axisLeft(y).tickSize(0).tickPadding(6);
      if (options.xticks) bottom.tickValues(options.xticks).tickFormat(options.xformat ?? String);
      else if (xlog) bottom.ticks(6).tickFormat(plain);
      else bottom.ticks(5);
      if (options.yticks) left.tickValues(options.yticks).tickFormat(options.yformat ?? String);
      else if (ylog) left.ticks(5).tickFormat(plain);
      else left.ticks(5);
      across.call(bottom);
      up.call(left);
      for (const axis of [across, up]) {
        axis.attr("font-size", 11).attr("font-family", null);
        axis.selectAll("text").style("fill", genbook.ink("text"));
        axis.selectAll("line, path").style("stroke", genbook.ink("axis"));
      }
    }

    const make = {
      x, y,
      add: name => drawn.append(name),
      line(points, colour, { width = 2, dash = null } = {}) {
        const path = d3.line().defined(p => Number.isFinite(p[0]) && Number.isFinite(p[1])).x(p => x(p[0])).y(p => y(p[1]));
        return drawn.append("path").attr("d", path(points)).attr("fill", "none").attr("stroke-width", width)
          .attr("stroke-dasharray", dash).style("stroke", genbook.ink(colour));
      },
      dots(points, colour, size = 3) {
        return drawn.selectAll(null).data(points).join("circle").attr("cx", p => x(p[0])).attr("cy", p => y(p[1]))
          .attr("r", size).style("fill", genbook.ink(colour));
      },
      bar(from, to, base, top, colour) {
        return drawn.append("rect").attr("x", Math.min(x(from), x(to))).attr("width", Math.abs(x(to) - x(from)))
          .attr("y", Math.min(y(base), y(top))).attr("height", Math.abs(y(top) - y(base))).style("fill", genbook.ink(colour));
      },
      // from the origin to `tip`
      arrow(tip, colour) {
        const [x0, y0, x1, y1] = [x(0), y(0), x(tip[0]), y(tip[1])];
        const turn = Math.atan2(y1 - y0, x1 - x0);
        const head = [-0.4, 0.4].map(side => [x1 - 9 * Math.cos(turn + side), y1 - 9 * Math.sin(turn + side)]);
        const add = (d, what) => drawn.append("path").attr("d", d).attr("stroke-width", 1.8).style(what, genbook.ink(colour));
        add(`M${x0},${y0}L${x1},${y1}`, "stroke");
        add(`M${x1},${y1}L${head[0]}L${head[1]}Z`, "fill");
      },
      text(at, text, colour = "text", anchor = "start") {
        return above.append("text").attr("x", x(at[0])).attr("y", y(at[1])).attr("text-anchor", anchor)
          .style("fill", genbook.ink(colour)).text(text);
      },
    };
    rescale();
    return {
      svg, x, y, rescale,
      draw(what) {
        drawn.selectAll("*").remove();
        above.selectAll("*").remove();
        what(make);
      },
    };
  };
})();
