import ArgumentParser
import Containers
import Flags
import Images
import Linux

/// What may come next on a command line: the shells' scripts ask for it with each press of the key.
struct Completion {
    /// Words that fit, each with its meaning.
    private(set) var candidates: [(word: String, help: String)] = []
    /// Whether the shell's own file names fit too.
    private(set) var takesFiles = false

    /// - Parameter words: Everything after `apus`, the last one unfinished, maybe empty.
    init(_ words: [String]) {
        var rest = words.dropLast()[...]
        let current = words.last ?? ""
        while let option = rest.first, option.hasPrefix("-") {
            rest.removeFirst()
            guard option == "--root" else { continue }
            guard rest.popFirst() != nil else {
                takesFiles = true
                return
            }
        }
        guard let name = rest.popFirst(), name != "help" else {
            addCommands(current)
            return
        }
        if CommandGroups.names.contains(name), rest.isEmpty {
            addGroup(name, current)
            return
        }
        guard let name = try? CommandGroups.resolve(name, &rest),  // `try?`: nothing fits an unknown word
            let command = Root.command(named: name)
        else { return }
        complete(CommandOutline(command), rest, current)
        candidates = candidates.filter { $0.word.hasPrefix(current) }
    }

    /// One candidate a line, a tab before its meaning; `:files` at the end where files fit too.
    var text: String {
        let lines = candidates.map { $0.help.isEmpty ? $0.word : "\($0.word)\t\($0.help)" }
        return (lines + (takesFiles ? [":files"] : [])).map { "\($0)\n" }.joined()
    }

    private mutating func addCommands(_ current: String) {
        if current.hasPrefix("-") {
            candidates = [
                ("--root", "Where containers are kept"), ("--help", "Show help"), ("--version", "Show the version"),
            ]
        } else {
            let shown = Root.commands.filter { $0.configuration.shouldDisplay }
            candidates =
                shown.filter { !$0._commandName.contains(" ") }.map { ($0._commandName, $0.configuration.abstract) }
                + CommandGroups.names.map { ($0, "Commands of \($0)s") } + [("help", "Show help of a command")]
        }
        candidates = candidates.filter { $0.word.hasPrefix(current) }
    }

    private mutating func addGroup(_ name: String, _ current: String) {
        for (word, command) in CommandGroups.words(of: name) where word.hasPrefix(current) {
            candidates.append((word, Root.command(named: command)?.configuration.abstract ?? ""))
        }
    }

    // MARK: One command

    private mutating func complete(_ command: CommandOutline, _ words: ArraySlice<String>, _ current: String) {
        var positionals = 0
        var takesOptions = true
        var rest = words
        while let word = rest.popFirst() {
            if word == "--", takesOptions {
                takesOptions = false
            } else if takesOptions, word.hasPrefix("-"), word.count > 1 {
                guard let option = command.optionAwaitingValue(word) else { continue }
                if rest.popFirst() == nil { return addValues(of: option, prefix: "") }
            } else {
                positionals += 1
                if command.endsAtPositional { takesOptions = false }
            }
        }
        if takesOptions, current.hasPrefix("-") {
            return addOptions(of: command, current)
        }
        addPositional(of: command, number: positionals)
    }

    private mutating func addOptions(of command: CommandOutline, _ current: String) {
        if let equals = current.firstIndex(of: "="), current.hasPrefix("--") {
            let name = String(current[..<equals])
            guard let option = command.options.first(where: { $0.names.contains(name) }) else { return }
            return addValues(of: option, prefix: "\(name)=")
        }
        candidates = command.options.flatMap { option in option.names.map { ($0, option.help) } }
        if !candidates.contains(where: { $0.word == "--help" }) { candidates.append(("--help", "Show help")) }
    }

    private mutating func addPositional(of command: CommandOutline, number: Int) {
        guard let last = command.positionals.last else { return }
        let positional = number < command.positionals.count ? command.positionals[number] : last
        if number >= command.positionals.count, !last.isRepeating, !command.endsAtPositional { return }
        if let choice = positional.containers {
            addContainers(choice)
        } else if positional.takesImages {
            if positional.synopsis.hasSuffix("@host") { candidates = [("@host", "The machine's own root")] }
            addImages()
        } else {
            takesFiles = true
        }
    }

    private mutating func addImages() {
        guard let records = try? ImageCommand.openStore().list() else { return }  // `try?`: it then says nothing
        for record in records { candidates.append((record.familiar, "")) }
    }

    private mutating func addContainers(_ choice: ContainerChoice) {
        guard let states = try? ContainerStore().states().found else { return }  // `try?`: it then says nothing
        for state in states {
            let isRunning = state.status.running != nil
            if choice == .running && !isRunning || choice == .stopped && isRunning { continue }
            candidates.append((state.name, state.image))
        }
    }

    private mutating func addValues(of option: CommandOutline.Option, prefix: String) {
        let name = String(option.names.last?.drop { $0 == "-" } ?? "")
        if ["rootfs", "env-file", "label-file", "cidfile", "volume", "mount", "device"].contains(name) {
            takesFiles = true
            return
        }
        candidates = Self.values(name).map { (prefix + $0, "") }
    }

    private static func values(_ option: String) -> [String] {
        switch option {
        case "network": ["none", "host", "container:"]
        case "log-driver": ["json-file", "none", "passthrough"]
        case "restart": ["no", "always", "on-failure", "unless-stopped"]
        case "pid", "uts", "cgroupns": ["host", "private", "container:"]
        case "ipc": ["host", "private", "shareable", "none", "container:"]
        case "userns": ["host", "keep-id", "auto", "container:"]
        case "limits": ["strict", "best-effort"]
        case "storage": ["overlay", "copy"]
        case "security-opt": ["no-new-privileges", "seccomp=", "mask=", "unmask="]
        case "personality": ["LINUX", "LINUX32"]
        case "cap-add", "cap-drop": ["ALL"] + CapabilitySet.all.names.map { String($0.dropFirst(4)) }
        case "signal", "stop-signal": ["TERM", "INT", "HUP", "QUIT", "KILL", "USR1", "USR2", "STOP", "CONT", "WINCH"]
        case "pull": ["always", "missing", "never", "newer"]
        case "format": ["json", "table"]
        case "filter": ["name=", "id=", "label=", "status=", "exited=", "health=", "ancestor=", "before=", "since="]
        case "tail": ["all"]
        default: []
        }
    }
}

extension CommandOutline {
    /// The option whose value is the next word, if `word` is one without its value.
    fileprivate func optionAwaitingValue(_ word: String) -> Option? {
        if word.hasPrefix("--") { return options.first { $0.metavar != nil && $0.names.contains(word) } }
        // A group of letters: the first that takes a value takes the rest of the word, or else the next word.
        for (offset, letter) in word.dropFirst().enumerated() {
            guard let option = options.first(where: { $0.names.contains("-\(letter)") }) else { return nil }
            if option.metavar != nil { return offset == word.count - 2 ? option : nil }
        }
        return nil
    }
}
