//! How the page looks: quiet, on paper and on screens, light and dark.

pub(super) const STYLE: &str = "
:root{color-scheme:light dark;--bg:#fbfaf8;--card:#fff;--ink:#1d2024;--soft:#62686f;--line:#e4e2dd;
--a:#2f6f8f;--b:#c7803a;--c:#5b8c5a;--d:#7a5c99;--track:#ece9e3;--good:#2f7d4f;--warn:#a8660f;--bad:#b23a3a;
--good-bg:#e5f2ea;--warn-bg:#f9eeda;--bad-bg:#f8e4e2}
@media (prefers-color-scheme:dark){:root{--bg:#15171a;--card:#1d2024;--ink:#e8e6e1;--soft:#9aa0a6;--line:#2e3237;
--a:#6fb1d0;--b:#e0a15e;--c:#8fbf8d;--d:#b097cf;--track:#2a2e33;--good:#7fcf9f;--warn:#e6b566;--bad:#ee8f8a;
--good-bg:#1c3327;--warn-bg:#3a2d16;--bad-bg:#3d2020}}
*{box-sizing:border-box}
body{margin:0;background:var(--bg);color:var(--ink);font:15px/1.55 system-ui,-apple-system,'Segoe UI',Roboto,sans-serif}
main{max-width:1080px;margin:0 auto;padding:28px 20px 60px}
header{display:flex;flex-wrap:wrap;align-items:baseline;gap:6px 14px;margin-bottom:18px}
h1{font-size:24px;margin:0;letter-spacing:-.01em}
h2{font-size:17px;margin:34px 0 12px}
h3{font-size:13px;margin:0 0 10px;color:var(--soft);font-weight:600}
.run{color:var(--soft);font:13px ui-monospace,Menlo,Consolas,monospace}
.badge{display:inline-block;padding:2px 10px;border-radius:99px;font-size:12.5px;font-weight:600;white-space:nowrap}
.good{color:var(--good);background:var(--good-bg)}.warn{color:var(--warn);background:var(--warn-bg)}
.bad{color:var(--bad);background:var(--bad-bg)}.mute{color:var(--soft);background:var(--track)}
.why{margin:-6px 0 18px;color:var(--warn)}
.tiles{display:grid;grid-template-columns:repeat(auto-fit,minmax(165px,1fr));gap:12px}
.card{background:var(--card);border:1px solid var(--line);border-radius:10px;padding:14px 16px;min-width:0}
.tile b{display:block;font-size:22px;font-weight:650;letter-spacing:-.01em;font-variant-numeric:tabular-nums}
.tile span{color:var(--soft);font-size:13px}
.charts{display:grid;grid-template-columns:repeat(auto-fit,minmax(min(100%,400px),1fr));gap:12px}
.charts.small{grid-template-columns:repeat(auto-fit,minmax(min(100%,290px),1fr))}
svg{display:block;width:100%;height:auto;overflow:visible}
svg text{font:12px system-ui,-apple-system,'Segoe UI',Roboto,sans-serif;fill:var(--ink)}
svg .s{fill:var(--soft)}.fa{fill:var(--a)}.fb{fill:var(--b)}.fc{fill:var(--c)}.fd{fill:var(--d)}.ft{fill:var(--track)}
.fbad{fill:var(--bad)}.tick{stroke:var(--ink);stroke-width:1.5}.whisker{stroke:var(--soft);stroke-width:1}
.key{display:flex;flex-wrap:wrap;gap:4px 14px;margin-top:8px;color:var(--soft);font-size:12.5px}
.key i{display:inline-block;width:10px;height:10px;border-radius:2px;margin-inline-end:5px}
.wide{overflow-x:auto}
table{border-collapse:collapse;width:100%;font-size:13px;font-variant-numeric:tabular-nums}
th,td{text-align:end;padding:6px 8px;border-bottom:1px solid var(--line);white-space:nowrap}
th{color:var(--soft);font-weight:600;font-size:12px}
th:first-child,td:first-child{text-align:start;padding-inline-start:0}
tr:last-child td{border-bottom:0}
th.text,td.text{text-align:start}td.text{white-space:normal;overflow-wrap:anywhere}
details{background:var(--card);border:1px solid var(--line);border-radius:10px;margin-bottom:8px;content-visibility:auto;contain-intrinsic-size:auto 46px}
summary{cursor:pointer;padding:10px 16px;display:flex;flex-wrap:wrap;gap:4px 12px;align-items:baseline}
summary b{font-weight:600;overflow-wrap:anywhere;flex:1 1 240px}
summary small{color:var(--soft);font-size:12.5px;font-variant-numeric:tabular-nums;white-space:nowrap}
.body{padding:2px 16px 14px;border-top:1px solid var(--line)}
.body p{margin:10px 0}
.chips{display:flex;flex-wrap:wrap;gap:5px;margin:6px 0}
.chip{background:var(--track);border-radius:6px;padding:1px 8px;font-size:13px;overflow-wrap:anywhere}
.label{color:var(--soft);font-size:12.5px;font-weight:600;margin:12px 0 2px}
.fault{color:var(--bad);overflow-wrap:anywhere}
code,.mono{font:12.5px ui-monospace,Menlo,Consolas,monospace;overflow-wrap:anywhere}
footer{margin-top:40px;color:var(--soft);font-size:12.5px}
@media print{body{background:#fff}.card,details{break-inside:avoid}main{padding:0;max-width:none}}
@media (max-width:520px){main{padding:18px 12px 40px}.card{padding:12px}h1{font-size:21px}}
";
