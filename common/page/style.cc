#include "common/page/document.h"

namespace ltml::page {
namespace {

constexpr std::string_view kStyle = R"css(
:root{color-scheme:light dark;
--paper:#fff;--panel:#f5f7f9;--ink:#16191d;--muted:#56606b;--line:#d5dbe1;--accent:#0b5cad;
--good:#0b6b3a;--bad:#b00020;--warn:#8a5300;
--uniform:#0b63b0;--rebalanced:#b5470b;--total:#16191d;--head:#006d66;--medium:#6f42b0;--tail:#b8174f;--wait:#76828f}
@media (prefers-color-scheme:dark){:root{
--paper:#10141a;--panel:#181e26;--ink:#e8ecf1;--muted:#a2adba;--line:#303945;--accent:#7ab8ff;
--good:#6fd59b;--bad:#ff8a93;--warn:#ffc067;
--uniform:#6cb2ff;--rebalanced:#ff9e5e;--total:#e8ecf1;--head:#52d3c6;--medium:#c3a3ff;--tail:#ff7fb0;--wait:#8996a5}}
*{box-sizing:border-box}
body{margin:0;background:var(--paper);color:var(--ink);
font:16px/1.5 system-ui,-apple-system,"Segoe UI",Roboto,"Noto Sans",sans-serif}
body>a[href="#main"]{position:absolute;left:-999px}
body>a[href="#main"]:focus{left:8px;top:8px;background:var(--paper);padding:8px;z-index:1}
a{color:var(--accent)}
:focus-visible{outline:3px solid var(--accent);outline-offset:2px;border-radius:2px}
header.site{display:flex;flex-wrap:wrap;gap:4px 24px;align-items:baseline;padding:12px 24px;
border-bottom:1px solid var(--line)}
header.site a{text-decoration:none;font-weight:600}
header.site a[aria-current]{color:var(--ink);border-bottom:3px solid var(--accent)}
header.site .status{margin-left:auto;color:var(--muted);font-size:14px}
main{max-width:1248px;margin:0 auto;padding:8px 24px 48px}
h1{font-size:28px;line-height:1.2;margin:20px 0 8px;overflow-wrap:anywhere}
h2{font-size:20px;margin:36px 0 8px}
p{margin:8px 0}
.muted,.nothing{color:var(--muted)}
.id{color:var(--muted);font-size:13px;font-weight:400}
.unseen{position:absolute;width:1px;height:1px;overflow:hidden;clip-path:inset(50%);white-space:nowrap}
.badge{display:inline-block;padding:1px 10px;border-radius:12px;border:1px solid currentColor;
font-size:14px;font-weight:600;white-space:nowrap}
.good{color:var(--good)}.bad{color:var(--bad)}.warn{color:var(--warn)}
.facts{display:flex;flex-wrap:wrap;gap:2px 20px;margin:8px 0;padding:0;list-style:none;color:var(--muted)}
.facts b{color:var(--ink);font-weight:600}
.cards{display:grid;grid-template-columns:repeat(auto-fit,minmax(150px,1fr));gap:12px;margin:16px 0;padding:0;list-style:none}
.cards li{background:var(--panel);border:1px solid var(--line);border-radius:8px;padding:10px 14px}
.cards .label{color:var(--muted);font-size:14px}
.cards .value{font-size:24px;font-weight:650;line-height:1.25;font-variant-numeric:tabular-nums}
.cards .change{font-size:14px;font-variant-numeric:tabular-nums}
progress{width:100%;height:12px;accent-color:var(--accent);vertical-align:middle}
td progress{width:110px}
.pair{display:grid;grid-template-columns:repeat(auto-fit,minmax(min(480px,100%),1fr));gap:12px 24px}
figure{margin:16px 0;min-width:0;overflow-x:auto}
figcaption{font-weight:600;margin-bottom:4px}
figure>svg{display:block;width:100%;min-width:480px;height:auto}
figure>svg.wide{min-width:720px}
svg text{font:12px system-ui,sans-serif;fill:var(--muted);font-variant-numeric:tabular-nums}
svg .name{font-size:13px;font-weight:600}
svg .grid{stroke:var(--line);stroke-width:1}
svg .axis{stroke:var(--muted);stroke-width:1}
svg .line{fill:none;stroke-width:2;stroke-linejoin:round}
.ink-uniform{--of:var(--uniform)}.ink-rebalanced{--of:var(--rebalanced)}.ink-total{--of:var(--total)}
.ink-head{--of:var(--head)}.ink-medium{--of:var(--medium)}.ink-tail{--of:var(--tail)}
.ink-wait{--of:var(--wait)}.ink-muted{--of:var(--muted)}
svg .fill,svg .name{fill:var(--of)}
svg .line{stroke:var(--of)}
svg .line.ink-rebalanced,svg .line.ink-head{stroke-dasharray:7 3}
svg .line.ink-medium{stroke-dasharray:3 3}
svg .line.ink-tail{stroke-dasharray:9 3 2 3}
svg .line.ink-muted{stroke-dasharray:2 3}
.legend{display:flex;flex-wrap:wrap;gap:2px 18px;margin:4px 0;padding:0;list-style:none;font-size:14px}
.swatch{display:inline-block;width:12px;height:12px;margin-right:6px;vertical-align:-1px}
.cell-bar{width:60px;height:10px;margin-left:8px;vertical-align:middle}
.cell-line{width:72px;height:22px;vertical-align:middle}
.cell-line .line{stroke-width:1.5}
.scroll{overflow-x:auto;margin:12px 0;border:1px solid var(--line);border-radius:8px}
table{border-collapse:collapse;width:100%;font-variant-numeric:tabular-nums}
caption{text-align:left;font-weight:600;padding:8px 12px}
th,td{padding:6px 10px;text-align:left;white-space:nowrap;border-top:1px solid var(--line)}
th{font-weight:600}
thead th{color:var(--muted);font-size:14px;line-height:1.3;white-space:normal;background:var(--panel);vertical-align:bottom}
tbody th{max-width:280px;overflow:hidden;text-overflow:ellipsis}
td.wide{white-space:normal;min-width:240px}
.number{text-align:right}
tbody tr:hover{background:var(--panel)}
pre{background:var(--panel);border:1px solid var(--line);border-radius:8px;padding:12px;overflow:auto;
max-height:360px;font:13px/1.45 ui-monospace,"DejaVu Sans Mono",monospace}
details{margin:12px 0}
summary{cursor:pointer;font-weight:600}
@media (max-width:640px){main,header.site{padding-left:14px;padding-right:14px}h1{font-size:23px}
th,td{padding:6px 7px}header.site .status{margin-left:0}
tbody th{max-width:150px}}
@media print{:root{--paper:#fff;--panel:#fff;--ink:#000;--muted:#333;--line:#bbb;--accent:#000;
--good:#060;--bad:#900;--warn:#630;
--uniform:#0b63b0;--rebalanced:#b5470b;--total:#000;--head:#006d66;--medium:#6f42b0;--tail:#b8174f;--wait:#777}
body{font-size:11pt}header.site,body>a[href="#main"]{display:none}main{max-width:none;padding:0}
.scroll{overflow:visible;border:0}pre{max-height:none;white-space:pre-wrap}
figure,tr,.cards li{break-inside:avoid}h2{break-after:avoid}a{color:inherit;text-decoration:none}}
)css";

}  // namespace

std::string_view Style() { return kStyle; }

}  // namespace ltml::page
