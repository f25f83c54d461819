"""The look of a report: colours once, for pages, figures and maps, in light, dark and print."""

LIGHT = {
    "ink": "#1f2328",
    "muted": "#59636e",
    "line": "#d1d9e0",
    "paper": "#ffffff",
    "panel": "#f6f8fa",
    "blue": "#0072b2",
    "orange": "#c04f00",
    "green": "#00795a",
    "purple": "#a1487a",
    "gold": "#8f6a00",
    "sky": "#3d8fc4",
}
"""Name of a colour -> its value on white paper; every pair of the six hues differs for colour-blind readers too."""

DARK = {
    "ink": "#e6edf3",
    "muted": "#9aa5b1",
    "line": "#3a424c",
    "paper": "#0d1117",
    "panel": "#161b22",
    "blue": "#58a6e0",
    "orange": "#f28e3c",
    "green": "#2fc18f",
    "purple": "#dd8fbb",
    "gold": "#e0b53f",
    "sky": "#8fcdf5",
}
"""The same colours on a dark ground."""


def _variables(colours: dict[str, str]) -> str:
    return "".join(f"--{name}:{value};" for name, value in colours.items())


_RULES = """
*{box-sizing:border-box}
html{scroll-behavior:smooth;-webkit-text-size-adjust:100%}
body{margin:0 auto;max-width:74rem;padding:1rem clamp(.75rem,3vw,2rem) 3rem;background:var(--paper);color:var(--ink);
font:1rem/1.55 var(--sans);overflow-wrap:break-word}
h1{font-size:clamp(1.4rem,4vw,2rem);line-height:1.2;margin:.5rem 0 .75rem}
h2{font-size:1.35rem;line-height:1.25;margin:2.75rem 0 .75rem;padding-top:.75rem;border-top:1px solid var(--line)}
h3{font-size:1.08rem;margin:1.75rem 0 .5rem}
p,ul,ol,dl{margin:.6rem 0;max-width:48rem}
a{color:var(--blue)}
a:focus-visible,summary:focus-visible,.scroll:focus-visible{outline:3px solid var(--blue);outline-offset:2px}
.skip{position:absolute;left:-999rem}
.skip:focus{position:static;display:inline-block;padding:.5rem}
nav{background:var(--panel);border:1px solid var(--line);border-radius:.5rem;padding:.25rem 1rem;margin:1rem 0}
nav ol{columns:15rem;max-width:none;padding-left:1.5rem;margin:.5rem 0;font-size:.95rem}
nav a{text-decoration:none}
nav a:hover{text-decoration:underline}
.badge{display:inline-block;border:1px solid currentColor;
border-radius:1rem;padding:.05rem .7rem;margin:0 .35rem .35rem 0;
font-size:.82rem;color:var(--muted)}
.badge.warning{color:var(--orange);font-weight:700}
.badge.good{color:var(--green)}
.callout{border-left:.35rem solid var(--blue);
background:var(--panel);padding:.6rem 1rem;margin:1rem 0;border-radius:.25rem}
.callout.warning{border-color:var(--orange)}
.callout.good{border-color:var(--green)}
.callout p{max-width:none}
.lead{font-size:1.15rem;line-height:1.45}
.small,figcaption,.note{font-size:.88rem;color:var(--muted)}
.cards{display:grid;grid-template-columns:repeat(auto-fit,minmax(min(100%,10.2rem),1fr));gap:.75rem;margin:1rem 0}
.cards>div{border:1px solid var(--line);border-radius:.5rem;padding:.6rem .9rem;display:flex;flex-direction:column}
.cards .name{font-size:.85rem;color:var(--muted)}
.cards strong{font-size:1.35rem;line-height:1.35;font-variant-numeric:tabular-nums}
.cards .interval{font-size:.85rem;font-variant-numeric:tabular-nums}
.cards .line{font-size:.82rem;color:var(--muted);line-height:1.4}
dl>div{display:grid;grid-template-columns:minmax(7rem,14rem) 1fr;gap:.1rem 1rem;padding:.2rem 0;
border-bottom:1px solid var(--line)}
dt{color:var(--muted)}
dd{margin:0;font-variant-numeric:tabular-nums;min-width:0}
.scroll{overflow-x:auto;max-width:100%;margin:1rem 0}
table{border-collapse:collapse;font-size:.9rem;font-variant-numeric:tabular-nums;line-height:1.35}
caption{text-align:left;font-size:.88rem;color:var(--muted);padding-bottom:.4rem}
caption span{display:inline-block;position:sticky;left:0;max-width:min(48rem,calc(100vw - 2.5rem))}
th,td{padding:.32rem .5rem;border-bottom:1px solid var(--line);text-align:left;vertical-align:top}
thead th{border-bottom:2px solid var(--muted);vertical-align:bottom}
tbody th{font-weight:500}
th:first-child{position:sticky;left:0;background:var(--paper);min-width:8rem;max-width:16rem}
.group th{font-size:.82rem;color:var(--muted);padding-top:.8rem;font-weight:600}
.number{text-align:right}
td.number{white-space:nowrap}
td small{display:block;color:var(--muted);font-size:.8em}
td.number small{white-space:nowrap}
abbr[title]{text-decoration:underline dotted;text-underline-offset:.2em;cursor:help}
.best{font-weight:700}
figure{margin:1rem 0;min-width:0}
figure .scroll,.drawing{margin:0}
figure svg{display:block;width:100%;height:auto}
figure .wide svg{min-width:44rem}
figure img{display:block;max-width:100%;height:auto}
figure .wide img{max-width:none}
.pixelated{image-rendering:pixelated}
figcaption{margin-top:.35rem;max-width:48rem}
.gallery{display:grid;grid-template-columns:repeat(auto-fill,minmax(min(100%,26rem),1fr));gap:.5rem 1.5rem}
.gallery.narrow{grid-template-columns:repeat(auto-fill,minmax(min(100%,20rem),1fr))}
.gallery figure{margin:.5rem 0}
details{border:1px solid var(--line);border-radius:.5rem;padding:.5rem .9rem;margin:1rem 0}
summary{cursor:pointer;font-weight:600}
.names li{break-inside:avoid}
.names{columns:14rem;column-gap:1.5rem;font-size:.88rem;padding-left:2.6rem;max-width:none}
svg.spark{width:7.5rem;height:1.4rem;display:block}
footer{margin-top:3rem;padding-top:1rem;border-top:1px solid var(--line);font-size:.88rem;color:var(--muted)}
code{font-size:.92em;overflow-wrap:anywhere}
@media (max-width:30rem){
dl>div{grid-template-columns:1fr;gap:0}th,td{padding:.3rem .45rem}th:first-child{max-width:9rem}
.gallery{gap:.5rem}}
@media print{
@page{margin:14mm}
html{font-size:9.5pt}
body{max-width:none;padding:0;-webkit-print-color-adjust:exact;print-color-adjust:exact}
nav,.skip{display:none}
h2{break-after:avoid;margin-top:1.5rem}
h3{break-after:avoid}
figure,.callout,.cards,tr{break-inside:avoid}
thead{display:table-header-group}
.scroll{overflow:visible}
table{font-size:7.5pt}
th,td{padding:.15rem .35rem}
th:first-child{position:static}
figure svg{max-height:13cm}
figure .wide svg{min-width:0}
figure img{max-height:22cm;object-fit:contain;object-position:left}
figure .wide img{max-width:100%}
.gallery{grid-template-columns:repeat(2,1fr)}
.gallery.narrow{grid-template-columns:repeat(3,1fr)}
a{color:inherit;text-decoration:none}
}
"""

CSS = (
    f":root{{color-scheme:light dark;--sans:system-ui,-apple-system,'Segoe UI',Roboto,'Helvetica Neue',Arial,"
    f"'DejaVu Sans',sans-serif;{_variables(LIGHT)}}}\n"
    f"@media screen and (prefers-color-scheme:dark){{:root{{{_variables(DARK)}}}}}"
    f"{_RULES}"
)
"""The one style sheet; every colour is a variable, so that inlined figures turn dark with the page."""
