// Rows that scroll sideways on narrow screens (steps, tabs, sections) open at the one the person is at, and the way
// to the end of a long page (data-jump) goes away once that end is in sight.
import { all, whenShown } from "./page.js";

const RAIL = ".steps, .wz, .tabs, .tlf, .stg > nav";

whenShown((part) => {
  for (const rail of all(part, RAIL)) {
    const here = rail.querySelector("[aria-current]");
    if (!here || rail.scrollWidth <= rail.clientWidth) continue;
    const [edge, at] = [rail.getBoundingClientRect(), here.getBoundingClientRect()];
    const [before, after] = [at.left - edge.left - 16, at.right - edge.right + 16];
    if (after > 0) rail.scrollLeft += Math.min(after + 48, before);
  }
});

const watched = new WeakSet();

whenShown(() => {
  for (const jump of document.querySelectorAll("[data-jump]")) {
    const end = document.querySelector(jump.dataset.jump);
    if (!end || watched.has(end)) continue;
    watched.add(end);
    new IntersectionObserver(([seen]) => {
      if (end.isConnected) jump.hidden = seen.isIntersecting || seen.boundingClientRect.top < 0;
    }).observe(end);
  }
});
