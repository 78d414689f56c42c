/** Small builders of the page's parts. Texts are set as texts, never as HTML: keys and names are anybody's. */

/** An element with attributes, style properties (names that begin with --) and children. */
export function make(tag, attributes = {}, ...children) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (name.startsWith("--")) element.style.setProperty(name, value);
    else if (value !== false && value !== undefined) element.setAttribute(name, value);
  }
  element.append(...children);
  return element;
}

/** An element of the page. */
export function part(id) {
  return document.getElementById(id);
}

/** Set a text only where it changes. */
export function say(element, text) {
  if (element.textContent !== text) element.textContent = text;
}

/**
 * Fill a table.
 *
 * @param columns [{head, cell, kind}]: `cell` makes a text or a node of a row, `kind` is a class of its cells.
 * @param caption shown where there are no rows.
 */
export function fill(table, columns, rows, caption = "Nothing here yet.") {
  const head = make("tr", {}, ...columns.map(({ head, kind = "" }) =>
    make("th", { scope: "col", class: kind.includes("num") ? "num" : "" }, head)));
  const body = rows.map((row) =>
    make("tr", { class: row.class || false }, ...columns.map(({ cell, kind = "" }) =>
      make("td", { class: kind }, cell(row)))));
  table.replaceChildren(
    ...(rows.length ? [make("thead", {}, head), make("tbody", {}, ...body)] : [make("caption", {}, caption)]),
  );
}
