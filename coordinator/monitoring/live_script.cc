#include "coordinator/monitoring/live_script.h"

namespace ltml::monitoring {
namespace {

constexpr std::string_view kScript = R"js('use strict';
(() => {
  const EVERY_MS = 2000, LIMIT_MS = 10000;
  const REACHABLE = 'a, summary, [tabindex]';
  const shown = new Map();  // markup of sections as the server sent it
  const sections = root => [...root.querySelectorAll('main > section')];
  const status = text => { document.getElementById('status').textContent = text; };

  // What a reader has done to a section: opened, moved in, and gone to.
  const placeIn = section => ({
    open: [...section.querySelectorAll('details')].map(one => one.open),
    scroll: [...section.querySelectorAll('.scroll, pre')].map(one => [
      one.scrollLeft, one.scrollTop + one.clientHeight >= one.scrollHeight - 1 ? Infinity : one.scrollTop]),
    focus: [...section.querySelectorAll(REACHABLE)].indexOf(document.activeElement),
  });
  const restore = (section, place) => {
    section.querySelectorAll('details').forEach((one, i) => { one.open = place.open[i] ?? one.open; });
    section.querySelectorAll('.scroll, pre').forEach((one, i) => {
      const [left, top] = place.scroll[i] ?? [0, 0];
      one.scrollLeft = left;
      one.scrollTop = top === Infinity ? one.scrollHeight : top;
    });
    if (place.focus >= 0) {
      section.querySelectorAll(REACHABLE)[place.focus]?.focus({preventScroll: true});
    }
  };

  const put = page => {
    const fresh = sections(page), mine = sections(document);
    const same = fresh.length === mine.length && fresh.every((one, i) => one.id === mine[i].id);
    if (!same) {
      document.querySelector('main').replaceChildren(...fresh);
    } else {
      fresh.forEach((one, i) => {
        if (shown.get(one.id) === one.outerHTML) return;
        shown.set(one.id, one.outerHTML);
        const place = placeIn(mine[i]);
        mine[i].replaceWith(one);
        restore(one, place);
      });
    }
    document.title = page.title;
    status(page.getElementById('status').textContent);
  };

  const renew = async () => {
    const answer = await fetch(location.href, {
      cache: 'no-store', credentials: 'same-origin', signal: AbortSignal.timeout(LIMIT_MS)});
    if (!answer.ok) throw new Error(answer.status);
    const page = new DOMParser().parseFromString(await answer.text(), 'text/html');
    put(page);
    return page.querySelector('script') !== null;  // a job that has ended stays as it is
  };

  const loop = async () => {
    let more = true;
    if (!document.hidden) {
      try {
        more = await renew();
      } catch {
        status('no answer from the server; this page is of an earlier time');
      }
    }
    if (more) setTimeout(loop, EVERY_MS);
  };
  document.querySelectorAll('pre').forEach(one => { one.scrollTop = one.scrollHeight; });
  sections(document).forEach(one => shown.set(one.id, one.outerHTML));
  setTimeout(loop, EVERY_MS);
})();
)js";

}  // namespace

std::string_view LiveScript() { return kScript; }

}  // namespace ltml::monitoring
