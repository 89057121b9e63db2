// What a page says of itself, put into its title, where the frame around it finds it.
addEventListener("load", () => setTimeout(() => {
  const linear = v => (v /= 255) <= .03928 ? v / 12.92 : ((v + .055) / 1.055) ** 2.4;
  const luminance = c => .2126 * linear(c[0]) + .7152 * linear(c[1]) + .0722 * linear(c[2]);
  const colour = text => (text.match(/[\d.]+/g) ?? [0, 0, 0]).map(Number);
  const ratio = (a, b) => { const [x, y] = [luminance(a), luminance(b)].sort((p, q) => q - p); return (x + .05) / (y + .05); };
  function ground(node) {
    for (; node && node.nodeType === 1; node = node.parentElement) {
      const c = colour(getComputedStyle(node).backgroundColor);
      if (c.length < 4 || c[3] > .99) return c;
    }
    return [255, 255, 255];
  }
  const all = css => [...document.querySelectorAll(css)], words = node => node.textContent.trim().slice(0, 60);
  const found = { wide: document.documentElement.scrollWidth, width: document.documentElement.clientWidth, small: [], pale: [], cut: [] };
  const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  for (let text; text = walker.nextNode();) {
    const node = text.parentElement, style = getComputedStyle(node);
    const box = node.getBoundingClientRect();
    if (!text.data.trim() || !box.width || ["SCRIPT", "STYLE"].includes(node.tagName) || style.visibility === "hidden") continue;
    const scale = node.getScreenCTM ? Math.hypot(node.getScreenCTM().a, node.getScreenCTM().b) : 1;
    const size = parseFloat(style.fontSize) * scale;
    if (size < 11.99) found.small.push([words(node), size]);
    const ink = colour(node.getScreenCTM ? style.fill : style.color), large = size >= 24 || (size >= 18.66 && style.fontWeight >= 700);
    if (ratio(ink, ground(node)) < (large ? 3 : 4.5)) found.pale.push([words(node), ratio(ink, ground(node))]);
  }
  for (const part of all(".track b, .track i, .legend i:not(.mark)")) {
    const c = colour(getComputedStyle(part).backgroundColor);
    if (!part.classList.contains("m2") && ratio(c, [255, 255, 255]) < 3) found.pale.push([part.className, c]);
  }
  for (const part of all(".track *")) {
    const box = part.getBoundingClientRect(), track = part.parentElement.getBoundingClientRect();
    if (box.right > track.right + 2 || box.left < track.left - 2) found.cut.push(["bar", box.right - track.right]);
  }
  // what the screen hides must lie in something that scrolls
  for (const node of all("body *")) {
    if (node.closest(".scroll") && !node.matches(".scroll")) continue;
    const box = node.getBoundingClientRect(), picture = node.ownerSVGElement?.getBoundingClientRect();
    if (picture) {
      // shapes are clipped to their axes on purpose, text never
      const out = box.right > picture.right + 1 || box.left < picture.left - 1;
      if (node.tagName === "text" && out) found.cut.push(["text", words(node)]);
    } else if (box.width && (box.right > found.width + 1 || box.left < -1)) found.cut.push([node.tagName, words(node)]);
  }
  found.tracks = all(".bar").map(bar => [...bar.querySelectorAll("b")].reduce((sum, b) => sum + b.getBoundingClientRect().width, 0));
  found.track = all(".track").map(track => track.getBoundingClientRect().width);
  found.notes = all(".bar .note").map(words);
  found.tables = all("table").map(table => ({
    about: table.closest("[aria-label]")?.getAttribute("aria-label") ?? "",
    heads: table.querySelectorAll("th").length,
    scoped: [...table.querySelectorAll("th")].every(th => th.scope),
    bodies: [...table.querySelectorAll("tbody tr")].every(row => row.closest("#detail") || row.querySelector("th") || row.closest("tbody").querySelector("th[rowspan]")),
    over: table.parentElement.scrollWidth > table.parentElement.clientWidth,
    hinted: Boolean(table.closest(".wide")?.querySelector(".hint").getClientRects().length),
    focus: table.parentElement.tabIndex,
  }));
  found.pictures = all("svg, img, [role=img]").map(node => (node.getAttribute("aria-label") ?? node.alt ?? "").length);
  found.lang = document.documentElement.lang;
  found.heads = all("h1").map(words);
  const said = document.querySelector(".conclusion");
  found.conclusion = said ? [words(said), said.getBoundingClientRect().top] : null;
  document.title = "LOOKED " + JSON.stringify(found);
}, 300));
