// What every page does besides being read: printing, showing in its contents which section is being read, and letting
// the keyboard scroll an equation that is wider than the page.
addEventListener("DOMContentLoaded", () => {
  for (const button of document.querySelectorAll("[data-print]")) button.onclick = () => print();

  const equations = document.querySelectorAll("div.math");
  const reach = () => {
    for (const box of equations) {
      if (box.scrollWidth > box.clientWidth + 1) box.tabIndex = 0;
      else box.removeAttribute("tabindex");
    }
  };
  addEventListener("resize", reach);
  document.fonts.ready.then(reach);
  reach();

  const links = [...document.querySelectorAll("#book-toc a[href^='#']")].filter(link => link.hash.length > 1);
  const headings = links.map(link => document.getElementById(decodeURIComponent(link.hash.slice(1))));
  if (!links.length) return;
  let asked = false;
  const mark = () => {
    asked = false;
    const line = innerHeight * 0.3;
    const atEnd = scrollY > 0 && scrollY + innerHeight >= document.documentElement.scrollHeight - 2;
    let current = -1;
    headings.forEach((heading, k) => {
      if (heading && (atEnd || heading.getBoundingClientRect().top < line)) current = k;
    });
    links.forEach((link, k) => {
      link.classList.toggle("active", k === current);
      if (k === current) link.setAttribute("aria-current", "true");
      else link.removeAttribute("aria-current");
    });
  };
  const ask = () => asked || (asked = true, requestAnimationFrame(mark));
  addEventListener("scroll", ask, { passive: true });
  addEventListener("resize", ask);
  mark();
});

addEventListener("beforeprint", () => {
  for (const box of document.querySelectorAll("details.solution")) box.open = true;
  for (const image of document.images) image.loading = "eager";
});
