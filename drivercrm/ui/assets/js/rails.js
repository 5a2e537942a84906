// Rows that scroll sideways on narrow screens (steps, tabs, sections) open at the one the person is at.
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
