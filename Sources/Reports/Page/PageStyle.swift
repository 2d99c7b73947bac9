/// How a page looks: light or dark as its reader has it, and on paper.
enum PageStyle {
    static let sheet = """
        :root {
          color-scheme: light dark;
          --ground: #f4f6f8; --card: #ffffff; --ink: #17202c; --quiet: #566173; --edge: #dbe1e8; --grid: #e6eaef;
          --line1: #2360d8; --line2: #b4530a; --limit: #c21d3b; --area: 0.13;
          --good: #11713f; --good-ground: #e4f5ec; --failed: #b3261e; --failed-ground: #fdebe9;
          --cut: #8f4a00; --cut-ground: #fff1dd; --track: #e6eaef;
        }
        @media (prefers-color-scheme: dark) {
          :root {
            --ground: #0f141b; --card: #18202a; --ink: #e7ebf0; --quiet: #9ba8b8; --edge: #2b3644; --grid: #273140;
            --line1: #74a9ff; --line2: #f2a45c; --limit: #ff8095; --area: 0.18;
            --good: #6cd79b; --good-ground: #14301f; --failed: #ff9a92; --failed-ground: #3a1917;
            --cut: #ffc27a; --cut-ground: #35260f; --track: #2b3644;
          }
        }
        * { box-sizing: border-box; }
        body {
          margin: 0; background: var(--ground); color: var(--ink);
          font: 15px/1.5 system-ui, -apple-system, "Segoe UI", Roboto, "Noto Sans", "Liberation Sans", sans-serif;
          font-variant-numeric: tabular-nums;
        }
        main { max-width: 1180px; margin: 0 auto; padding: 28px 22px 40px; }
        h1 { font-size: 27px; line-height: 1.2; margin: 0; letter-spacing: -0.01em; }
        h2 { font-size: 17px; margin: 34px 0 12px; }
        h3, caption { font-size: 14px; font-weight: 600; text-align: left; margin: 0; padding: 0 0 6px; }
        p { margin: 0; }
        code, pre { font: 13.5px/1.5 ui-monospace, "SF Mono", Menlo, Consolas, "Liberation Mono", monospace; }
        .card { background: var(--card); border: 1px solid var(--edge); border-radius: 10px; }
        .verdict { padding: 22px 24px; border-left: 6px solid var(--tone); }
        .verdict .headline { display: flex; align-items: center; gap: 12px; color: var(--tone); }
        .verdict .headline svg { flex: none; width: 30px; height: 30px; }
        .verdict .detail {
          margin: 12px 0 0; padding: 8px 12px; background: var(--tone-ground); border-radius: 6px; overflow-wrap: anywhere;
        }
        .good { --tone: var(--good); --tone-ground: var(--good-ground); }
        .failed { --tone: var(--failed); --tone-ground: var(--failed-ground); }
        .cut { --tone: var(--cut); --tone-ground: var(--cut-ground); }
        .command {
          margin: 14px 0 0; padding: 10px 12px; background: var(--ground); border-radius: 6px; max-height: 12em;
          overflow: auto; white-space: pre-wrap; overflow-wrap: anywhere;
        }
        .meta { color: var(--quiet); margin-top: 12px; overflow-wrap: anywhere; }
        .tiles { display: grid; grid-template-columns: repeat(auto-fit, minmax(158px, 1fr)); gap: 12px; margin-top: 14px; }
        .tile { padding: 13px 16px; display: flex; flex-direction: column; }
        .tile dt { color: var(--quiet); font-size: 13px; }
        .tile dd { margin: 0; font-size: 22px; font-weight: 600; line-height: 1.35; }
        .tile dd.more { font-size: 13px; font-weight: 400; color: var(--quiet); }
        dl { margin: 0; }
        .charts { display: grid; grid-template-columns: repeat(auto-fit, minmax(min(100%, 470px), 1fr)); gap: 14px; }
        figure { margin: 0; padding: 14px 16px 8px; }
        figcaption { display: flex; flex-wrap: wrap; align-items: baseline; gap: 2px 12px; margin-bottom: 6px; }
        figcaption .note { color: var(--quiet); font-size: 13px; }
        .legend { margin-left: auto; display: flex; gap: 14px; font-size: 13px; }
        .legend span::before {
          content: ""; display: inline-block; width: 16px; height: 3px; border-radius: 2px; margin-right: 6px;
          vertical-align: middle; background: var(--swatch);
        }
        .legend span + span::before {
          background: repeating-linear-gradient(90deg, var(--swatch) 0 6px, transparent 6px 9px);
        }
        figure svg { display: block; width: 100%; height: auto; overflow: visible; }
        figure text { font-size: 12px; fill: var(--quiet); }
        .grid path { stroke: var(--grid); stroke-width: 1; }
        .line1 { --colour: var(--line1); } .line2 { --colour: var(--line2); }
        .line { fill: none; stroke: var(--colour); stroke-width: 2; stroke-linejoin: round; stroke-linecap: round; }
        .line2.line { stroke-dasharray: 6 3; }
        .area { fill: var(--colour); opacity: var(--area); stroke: none; }
        .limit path { stroke: var(--limit); stroke-width: 1.6; stroke-dasharray: 7 5; }
        figure .limit text, .hover text {
          paint-order: stroke; stroke: var(--card); stroke-width: 4px; stroke-linejoin: round;
        }
        figure .limit text { fill: var(--limit); }
        .hover rect { fill: transparent; }
        .hover path, .hover circle, .hover text { opacity: 0; pointer-events: none; }
        .hover path { stroke: var(--quiet); stroke-width: 1; }
        .hover circle { fill: var(--colour); stroke: var(--card); stroke-width: 1.5; }
        figure .hover text { fill: var(--ink); font-weight: 600; }
        .hover g:hover path, .hover g:hover circle, .hover g:hover text { opacity: 1; }
        .scroll { overflow-x: auto; }
        table { border-collapse: collapse; width: 100%; }
        th, td { padding: 7px 12px 7px 0; text-align: left; vertical-align: top; border-top: 1px solid var(--edge); }
        thead th { border-top: 0; color: var(--quiet); font-weight: 500; font-size: 13px; }
        tbody th { font-weight: 500; }
        td.number { text-align: right; padding-right: 0; white-space: nowrap; }
        .limits { padding: 10px 18px 8px; }
        .limits th, .limits td { white-space: nowrap; }
        .limits .note { white-space: normal; color: var(--quiet); font-size: 13px; min-width: 16em; }
        .bar { display: inline-block; width: 96px; height: 8px; border-radius: 4px; background: var(--track); margin-right: 9px; }
        .bar span { display: block; height: 100%; border-radius: 4px; background: var(--line1); }
        .bar.hit span { background: var(--limit); }
        .tag {
          padding: 1px 8px; border-radius: 10px; font-size: 13px; background: var(--tone-ground); color: var(--tone);
          white-space: nowrap;
        }
        .groups { columns: 330px auto; column-gap: 14px; }
        .group { padding: 14px 18px 8px; break-inside: avoid; margin: 0 0 14px; }
        .group th { color: var(--quiet); font-weight: 400; overflow-wrap: anywhere; }
        .group td { overflow-wrap: anywhere; }
        footer { color: var(--quiet); font-size: 13px; margin-top: 30px; }
        @media (max-width: 600px) { main { padding: 14px 12px 28px; } .legend { margin-left: 0; } }
        @media print {
          :root {
            --ground: #ffffff; --card: #ffffff; --ink: #000000; --quiet: #444444; --edge: #bbbbbb; --grid: #dddddd;
            --line1: #1d4fb8; --line2: #a04a08; --limit: #b01030; --area: 0.1; --track: #dddddd;
            --good: #0b5c31; --good-ground: #eef8f2; --failed: #9c1f18; --failed-ground: #fdf0ef;
            --cut: #7a3f00; --cut-ground: #fff6e8;
          }
          body { font-size: 11px; print-color-adjust: exact; -webkit-print-color-adjust: exact; }
          main { max-width: none; padding: 0; }
          h1 { font-size: 20px; } h2 { font-size: 14px; break-after: avoid; margin: 18px 0 8px; } h3, caption { font-size: 12px; }
          .tiles { grid-template-columns: repeat(6, 1fr); gap: 8px; } .tile { padding: 7px 10px; }
          .tile dd { font-size: 14px; }
          .tile dt, .tile dd.more, figcaption .note, .legend, .tag, thead th, .limits .note, footer { font-size: 10px; }
          .charts { grid-template-columns: 1fr 1fr; }
          .groups { columns: 2; }
          .command { max-height: none; }
          figure, .card, tr { break-inside: avoid; }
          .hover { display: none; }
        }

        """
}
