namespace PaperStudy;

/// <summary>The report's style sheet: for light and dark screens, narrow windows and paper.</summary>
internal static class ReportStyle
{
    public const string Css = """
        :root {
          color-scheme: light dark;
          --page: #fdfdfc; --text: #1d2126; --soft: #5b6470; --line: #d8dce1; --panel: #f3f5f7; --mark: #e2f1e4;
          --series0: #b4530f; --series1: #1a5fb4; --series2: #6b3fa0; --series3: #0f766e;
        }
        @media (prefers-color-scheme: dark) {
          :root {
            --page: #15181c; --text: #e6e8eb; --soft: #a2abb6; --line: #3a4149; --panel: #1e2329; --mark: #1f3b27;
            --series0: #f0a05a; --series1: #7db4f5; --series2: #c3a1ee; --series3: #5eccc0;
          }
        }
        body { margin: 0 auto; padding: 1.5rem; max-width: 68rem; font: 16px/1.5 system-ui, sans-serif; }
        body { background: var(--page); color: var(--text); }
        h1 { line-height: 1.2; margin-bottom: .5rem; }
        h2 { margin-top: 2.5rem; border-bottom: 1px solid var(--line); padding-bottom: .25rem; }
        h3 { margin-bottom: .25rem; }
        p { margin: .25rem 0 .75rem; }
        .note { color: var(--soft); font-size: .875rem; }
        dl { display: grid; grid-template-columns: max-content 1fr; gap: .25rem 1.25rem; }
        dt { color: var(--soft); }
        dd { margin: 0; overflow-wrap: anywhere; }
        .wide { overflow-x: auto; }
        table { border-collapse: collapse; }
        th, td { padding: .4rem .7rem; border-bottom: 1px solid var(--line); text-align: left; }
        caption { text-align: left; }
        td.number { white-space: nowrap; }
        td.number, th.number { text-align: right; font-variant-numeric: tabular-nums; }
        tbody th { font-weight: normal; }
        td.best { background: var(--mark); font-weight: bold; }
        tfoot td, tfoot th { color: var(--soft); font-weight: normal; border-bottom: 0; }
        .chart { width: 100%; height: auto; font: 13px system-ui, sans-serif; }
        .chart text { fill: var(--text); }
        .chart text.best { font-weight: bold; }
        .grid { stroke: var(--line); }
        .axis { stroke: var(--soft); }
        .chance { stroke: var(--text); stroke-width: 1.5; stroke-dasharray: 3 2; }
        .bar { fill-opacity: .75; }
        .raw, .smooth { fill: none; }
        .raw { stroke-width: 1; opacity: .28; }
        .smooth { stroke-width: 2.5; }
        .smooth.series1 { stroke-dasharray: 9 3; }
        .smooth.series2 { stroke-dasharray: 3 3; }
        .smooth.series3 { stroke-dasharray: 9 3 3 3; }
        .series0 { stroke: var(--series0); }
        .series1 { stroke: var(--series1); }
        .series2 { stroke: var(--series2); }
        .series3 { stroke: var(--series3); }
        .bar.series0 { fill: var(--series0); }
        .bar.series1 { fill: var(--series1); }
        .bar.series2 { fill: var(--series2); }
        .bar.series3 { fill: var(--series3); }
        .charts { display: grid; grid-template-columns: repeat(auto-fit, minmax(min(24rem, 100%), 1fr)); gap: 1rem; margin-top: 1.5rem; }
        figure { margin: 0; padding: .75rem; background: var(--panel); border-radius: .5rem; }
        figure { display: flex; flex-direction: column; justify-content: space-between; }
        figcaption { font-size: .875rem; margin-bottom: .5rem; }
        @media print { body { max-width: none; } figure { break-inside: avoid; } }
        """;
}
