// Images with their labels and what a network says of them: on the first page, where labels and stopping are chosen,
// and mislabelled ones along training. The images stand on the page already; what is said of them follows the sliders.
(() => {
  const kind = (answer, given, truth) => (answer === truth ? "is-true" : answer === given ? "is-given" : "is-other");
  const percent = value => `${Math.round(100 * value)}%`;
  const inSteps = step => `${step.toLocaleString("en")} step${step === 1 ? "" : "s"}`;

  function say(tile, given, truth, answer) {
    const label = tile.querySelector(".label");
    label.textContent = `labelled ${given}`;
    label.classList.toggle("wrong", given !== truth);
    const said = tile.querySelector(".answer");
    said.textContent = `says ${answer}`;
    said.className = `answer ${kind(answer, given, truth)}`;
  }

  const rowsOf = (given, truth, said) => [
    ["image", "labelled", "true", "the network says"],
    ...[...truth].map((label, k) => [String(k + 1), given[k], label, said[k]]),
  ];
  const count = (truth, when) => [...truth].filter((_, k) => when(k)).length;

  genbook.live.twenty = (element, { steps, true: truth, given, answers, train, test }) => {
    const tiles = [...element.querySelectorAll(".digit")];
    const meters = [...element.querySelectorAll(".meter")];
    const seen = element.querySelector(".seen");
    let now = [0, 0];
    const fill = genbook.table(element, () => rowsOf(given[now[0]], truth, answers[now[0]][now[1]]));
    genbook.controls(element, ({ noise_index: level, step_index: step }) => {
      now = [level, step];
      const [shown, said] = [given[level], answers[level][step]];
      tiles.forEach((tile, k) => say(tile, shown[k], truth[k], said[k]));
      [train, test].forEach((values, k) => {
        const value = values[level][step];
        meters[k].querySelector(".bar > span").style.width = `${100 * value}%`;
        meters[k].querySelector(".value").textContent = percent(value);
      });
      const wrong = k => shown[k] !== truth[k];
      const many = count(truth, wrong);
      seen.textContent =
        `After ${inSteps(steps[step])} the network gives back ${percent(train[level][step])} of the labels that it was ` +
        `shown, and is right on ${percent(test[level][step])} of new images. ` +
        (many
          ? `Of these ${truth.length} labels ${many} are wrong: for ` +
            `${count(truth, k => wrong(k) && said[k] === shown[k])} of them it gives the wrong label back, for ` +
            `${count(truth, k => wrong(k) && said[k] === truth[k])} the true one.`
          : "All of these labels are right.");
      fill();
    });
  };

  genbook.live.mislabelled = (element, { steps, true: truth, given, answers }) => {
    const tiles = [...element.querySelectorAll(".digit")];
    const seen = element.querySelector(".seen");
    let said = answers[0];
    const fill = genbook.table(element, () => rowsOf(given, truth, said));
    genbook.controls(element, ({ step_index: step }) => {
      said = answers[step];
      tiles.forEach((tile, k) => {
        say(tile, given[k], truth[k], said[k]);
        tile.querySelector(".mark").setAttribute("x", step + 0.2);
      });
      const [right, wrong] = [truth, given].map(labels => count(truth, k => said[k] === labels[k]));
      seen.textContent =
        `After ${inSteps(steps[step])}: of ${truth.length} mislabelled images the network gives ${right} their true ` +
        `label, ${wrong} the wrong one that it was shown, and ${truth.length - right - wrong} another.`;
      fill();
    });
  };
})();
