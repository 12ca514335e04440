"""Colours by what they mean, for light and dark (Okabe and Ito's, which people with other eyes tell apart too)."""

from __future__ import annotations

STYLE = """
:root { color-scheme: light dark; --paper: #fff; --ink: #1b1f24; --quiet: #57606a; --rule: #d8dee4;
  --trial: #0072b2; --live: #8a5a00; --drift: #c2410c; --warning: #e69f00; --ok: #bcd7ea; --unknown: #b8bec5; }
@media (prefers-color-scheme: dark) { :root { --paper: #14171a; --ink: #e6e9ec; --quiet: #9aa4ae; --rule: #30363d;
  --trial: #56b4e9; --live: #e6b84f; --drift: #ff7b4a; --warning: #e69f00; --ok: #24455c; --unknown: #4b535b; } }
* { box-sizing: border-box }
body { margin: 0 auto; padding: 1.5rem 1rem 4rem; max-width: 72rem; background: var(--paper); color: var(--ink);
  font: 15px/1.5 system-ui, sans-serif; overflow-wrap: anywhere }
h1 { font-size: 1.5rem; line-height: 1.25; margin: 0 0 .25rem } h2 { font-size: 1.1rem; margin: 2.25rem 0 .25rem }
p { margin: .25rem 0; max-width: 48rem } .quiet, figcaption { color: var(--quiet); font-size: .875rem }
figure { margin: .5rem 0; overflow-x: auto } svg { display: block; width: 100%; min-width: 44rem; height: auto }
svg text { fill: var(--quiet); font: 11px system-ui, sans-serif } svg .name { fill: var(--ink); text-anchor: end }
svg .figure { fill: var(--ink); font-variant-numeric: tabular-nums } svg .hot { fill: var(--drift); font-weight: 600 }
.axis line { stroke: var(--rule); stroke-width: 1 }
.line { fill: none; stroke-width: 1.5; stroke-linejoin: round; stroke-linecap: round }
.trial { stroke: var(--trial) } .live { stroke: var(--live); stroke-dasharray: 5 3; opacity: .75 }
.threshold { stroke: var(--drift); stroke-width: 1; stroke-dasharray: 2 3 }
.area { fill: var(--trial); opacity: .22 } .band { fill: var(--trial); opacity: .16 }
.OK { fill: var(--ok) } .WARNING { fill: var(--warning) }
.DRIFT { fill: var(--drift) } .UNKNOWN { fill: var(--unknown) }
.incident { fill: var(--ink) } .silenced { fill: var(--unknown) } .training { fill: var(--trial) }
svg .number { fill: var(--paper); font-weight: 600; text-anchor: middle }
dl { display: flex; flex-wrap: wrap; gap: .75rem 2rem; margin: 1rem 0 0 } dt { color: var(--quiet); font-size: .8rem }
dd { margin: 0; font-size: 1.2rem; font-variant-numeric: tabular-nums }
.keys { display: flex; flex-wrap: wrap; gap: .25rem 1.25rem; padding: 0; margin: .25rem 0; list-style: none }
.keys svg { display: inline-block; width: 1.6rem; min-width: 0; height: .7rem; margin-right: .4rem }
table { border-collapse: collapse; font-size: .875rem; font-variant-numeric: tabular-nums; width: 100% }
th, td { text-align: left; padding: .2rem .75rem .2rem 0; border-bottom: 1px solid var(--rule); vertical-align: top }
th { color: var(--quiet); font-weight: 500 } summary { cursor: pointer; color: var(--trial); margin-top: .75rem }
.wide { overflow-x: auto }
"""
