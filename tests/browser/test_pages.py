"""The pages of ltmld in Debian's chromium, while two ranks train."""
import os
import pathlib
import sys
import unittest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / 'e2e'))
import devtools  # noqa: E402
import harness  # noqa: E402
import service  # noqa: E402

FOREVER = 100000
SCREENSHOTS = pathlib.Path(os.environ.get('LTML_SCREENSHOTS', harness.ROOT / 'build/screenshots'))

# Texts whose colour has less than 4.5 times the luminance of what lies behind (WCAG AA).
PALE_TEXTS = '''(() => {
  const parts = colour => colour.match(/[\\d.]+/g).map(Number);
  const luminance = ([r, g, b]) => [r, g, b].map(v => v / 255)
      .map(v => v <= 0.03928 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4)
      .reduce((sum, v, i) => sum + v * [0.2126, 0.7152, 0.0722][i], 0);
  const behind = element => {
    for (let at = element; at; at = at.parentElement) {
      const colour = parts(getComputedStyle(at).backgroundColor);
      if (colour.length === 3 || colour[3] === 1) return colour;
    }
    return [255, 255, 255];
  };
  const own = element => [...element.childNodes].some(n => n.nodeType === 3 && n.textContent.trim());
  const pale = [];
  for (const element of document.querySelectorAll('body *')) {
    if (!own(element) || element.closest('.unseen, script, style, noscript, title, desc')) continue;
    const style = getComputedStyle(element);
    const ink = luminance(parts(element.closest('svg') ? style.fill : style.color));
    const paper = luminance(behind(element));
    const contrast = (Math.max(ink, paper) + 0.05) / (Math.min(ink, paper) + 0.05);
    if (contrast < 4.5) pale.push(`${element.tagName} ${contrast.toFixed(2)} ${element.textContent.slice(0, 40)}`);
  }
  return pale;
})()'''

# What a reader who does not see the page, or has no mouse, would miss.
UNTOLD = '''(() => {
  const untold = [];
  const check = (selector, good) => document.querySelectorAll(selector).forEach(one => {
    if (!good(one)) untold.push(`${selector}: ${one.outerHTML.slice(0, 120)}`);
  });
  const named = one => one.textContent.trim() || one.getAttribute('aria-label');
  check('html', one => one.lang);
  check('a', named);
  check('table', one => one.caption && one.caption.textContent.trim());
  check('th', one => one.scope);
  check('progress', one => one.getAttribute('aria-label'));
  check('figure > svg', one => one.getAttribute('role') === 'img' &&
      ['aria-labelledby', 'aria-describedby'].every(
          name => document.getElementById(one.getAttribute(name))?.textContent.trim()));
  check('.scroll, pre', one => one.tabIndex === 0);
  if (document.querySelectorAll('h1').length !== 1) untold.push('not one h1');
  if (document.querySelectorAll('main').length !== 1) untold.push('not one main');
  return untold;
})()'''

# While the page reloads there is none.
PROGRESS = 'Number(document.querySelector("#top progress")?.value ?? 0)'
NUMBERS = '''[...document.querySelectorAll('#classes-table tbody tr')].map(row => ({
  train: Number(row.cells[2].textContent.replace(/,/g, '')),
  rebalanced: Number(row.cells[4].textContent.replace(/,/g, '')),
  precision: Number(row.cells[5].textContent)}))'''


class Pages(harness.WithData):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        SCREENSHOTS.mkdir(parents=True, exist_ok=True)
        cls.server = service.Server(cls.folder / 'server', cls.folder, slots=2).start()
        cls.addClassCleanup(cls.server.stop)
        cls.browser = devtools.Browser()
        cls.addClassCleanup(cls.browser.close)
        cls.base = f'http://{cls.server.http}'

    def setUp(self):
        self.id_of_job = self.server.submit(self.job(steps=FOREVER, checkpoint=10), '--set',
                                            'evaluation.every_steps=10')
        self.addCleanup(self.end)
        self.server.await_step(self.id_of_job, 12)
        self.page = self.browser.page()
        self.address = f'{self.base}/jobs/{self.id_of_job}'

    def end(self):
        if self.server.command('cancel', self.id_of_job).returncode == 0:
            self.server.await_state(self.id_of_job, 'CANCELLED')

    def assert_no_problem(self):
        self.assertEqual(self.page.problems(), [])
        foreign = [url for url in self.page.requests() if not url.startswith((self.base, 'data:'))]
        self.assertEqual([url for url in foreign if url != 'about:blank'], [])

    def await_steps(self, seconds=30):
        """The step on the page moves."""
        step = self.page.run(PROGRESS)
        self.page.wait(f'{PROGRESS} > {step}', seconds)

    def test_a_run_is_followed_as_it_goes(self):
        self.assertEqual(self.page.open(self.base), 200)
        self.page.screenshot(SCREENSHOTS / 'jobs.png')
        self.page.run('document.querySelector("#running-table a").click()')
        self.page.wait(f'location.href === "{self.address}" && document.querySelector("#classes-table") !== null')
        self.await_steps()
        self.page.wait(f'(rows => rows.every(row => row.train === 0 || row.rebalanced > 0) '
                       f'&& rows.some(row => row.precision > 0))({NUMBERS})', 90)
        before = sum(row['rebalanced'] for row in self.page.run(NUMBERS))
        # Nothing that a reader has closed or gone to is lost when the page renews itself.
        self.page.run('document.querySelector("#log-0").open = false;'
                      'document.querySelector("#log-0 summary").focus()')
        self.page.run('window.scrollTo(0, 500)')
        self.page.wait(f'{NUMBERS}.reduce((sum, row) => sum + row.rebalanced, 0) > {before}', 60)
        self.await_steps()
        self.assertFalse(self.page.run('document.querySelector("#log-0").open'))
        self.assertTrue(self.page.run('document.activeElement.closest("#log-0") !== null'))
        self.assertEqual(self.page.run('window.scrollY'), 500)
        for section in ('weakest', 'curves', 'tail', 'ranks', 'attempts', 'logs'):
            self.assertTrue(self.page.run(f'document.querySelector("#{section} *") !== null'), section)
        self.page.run('window.scrollTo(0, 0)')
        self.page.screenshot(SCREENSHOTS / 'job.png')
        # As docs/monitoring.md shows it.
        self.page.screenshot(SCREENSHOTS / 'job-page.png',
                             clip={'x': 0, 'y': 0, 'width': 1200, 'height': 1125})
        self.assert_no_problem()
        self.end()
        self.page.wait('document.querySelector("#top .badge").textContent.startsWith("cancelled")')
        self.assertIn('cancelled', self.page.run('document.title'))
        self.assert_no_problem()

    def test_every_link_leads_somewhere(self):
        waiting, seen = [self.base + '/'], set()
        while waiting:
            address = waiting.pop().split('#')[0]
            if address in seen:
                continue
            seen.add(address)
            self.assertEqual(self.page.open(address), 200, address)
            waiting += [link for link in self.page.run('[...document.links].map(one => one.href)')
                        if link.startswith(self.base)]
            missing = self.page.run(
                '[...document.links].filter(one => one.hash && one.pathname === location.pathname && '
                'one.search === location.search && !document.getElementById(one.hash.slice(1)))'
                '.map(one => one.hash)')
            self.assertEqual(missing, [], address)
        # Both pages, three other orders of classes, two logs.
        self.assertGreaterEqual(len(seen), 7, seen)
        self.assert_no_problem()

    def test_without_scripts_the_page_still_moves(self):
        self.page.scripts(False)
        self.assertEqual(self.page.open(self.address), 200)
        self.await_steps(30)
        self.assertEqual(self.page.problems(), [])

    def test_phone_paper_light_and_dark(self):
        self.page.open(self.address)
        self.page.wait('document.querySelector("#weakest") !== null', 60)
        for scheme, media in (('light', ''), ('dark', ''), ('light', 'print')):
            self.page.media(scheme, media)
            self.page.run('document.querySelectorAll("details").forEach(one => { one.open = true; })')
            self.assertEqual(self.page.run(PALE_TEXTS), [], (scheme, media))
            self.assertEqual(self.page.run(UNTOLD), [])
            self.page.screenshot(SCREENSHOTS / f'job-{media or scheme}.png')
        self.page.media('dark')
        dark = self.page.run('getComputedStyle(document.body).backgroundColor')
        self.page.media('light')
        self.assertNotEqual(dark, self.page.run('getComputedStyle(document.body).backgroundColor'))
        self.page.size(390, 844, mobile=True)
        for address in (self.base, self.address):
            self.page.open(address)
            self.assertLessEqual(self.page.run('document.documentElement.scrollWidth'), 390, address)
            self.assertEqual(self.page.run(UNTOLD), [])
        self.page.screenshot(SCREENSHOTS / 'job-phone.png')
        self.assert_no_problem()


if __name__ == '__main__':
    unittest.main()
