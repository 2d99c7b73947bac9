import Containers
import Dockerfiles
import Glibc
import Images
import Linux
import OCI

/// The instructions that change nothing but the image's configuration.
extension StageBuild {
    func configure(_ instruction: Instruction) throws(Failure) {
        switch instruction {
        case .env(let assignments): try env(assignments)
        case .label(let assignments): try label(assignments)
        case .user(let name):
            guard !name.isEmpty else { throw Failure("USER", "", "is empty") }
            try change("USER \(name)") { $0.user = name }
        case .expose(let ports): try expose(ports)
        case .volume(let paths):
            try change("VOLUME \(Self.json(paths))") {
                $0.volumePaths = Array(Set($0.volumePaths + paths))
            }
        case .cmd(let command):
            let words = words(of: command)
            try change("CMD \(Self.json(words))") { $0.cmd = words }
            hasCommand = true
        case .entrypoint(let command):
            let words = words(of: command)
            // A command of the base image is meant for its own entry point.
            let keepsCommand = hasCommand
            try change("ENTRYPOINT \(Self.json(words))") {
                $0.entrypoint = words
                if !keepsCommand { $0.cmd = nil }
            }
        case .shell(let words): try change("SHELL \(Self.json(words))") { $0.shell = words }
        case .stopsignal(let signal):
            do throws(Failure) {
                _ = try Signal(parsing: signal)
            } catch {
                throw Failure("STOPSIGNAL", signal, "is no signal")
            }
            try change("STOPSIGNAL \(signal)") { $0.stopSignal = signal }
        case .healthcheck(let check): try healthcheck(check)
        case .onbuild(let text, _):
            try change("ONBUILD \(text)") { $0.onBuild = ($0.onBuild ?? []) + [text] }
        case .maintainer(let name):
            try change("MAINTAINER \(name)") { _ in }
            state.config.author = name
        case .run, .copy, .add, .workdir, .arg: return  // these are no matter of the configuration alone
        }
    }

    private func env(_ assignments: [Assignment]) throws(Failure) {
        let text = "ENV " + assignments.map { "\($0.name)=\($0.value)" }.joined(separator: " ")
        try change(text) { execution in
            var environment = execution.env ?? []
            for assignment in assignments {
                let variable = "\(assignment.name)=\(assignment.value)"
                let index = environment.firstIndex { $0.utf8.starts(with: "\(assignment.name)=".utf8) }
                if let index { environment[index] = variable } else { environment.append(variable) }
            }
            execution.env = environment
        }
    }

    private func label(_ assignments: [Assignment]) throws(Failure) {
        let text = "LABEL " + assignments.map { "\($0.name)=\($0.value)" }.joined(separator: " ")
        try change(text) { execution in
            var labels = execution.labels ?? [:]
            for label in assignments { labels[label.name] = label.value }
            execution.labels = labels
        }
    }

    private func expose(_ ports: [String]) throws(Failure) {
        var all: [String] = []
        for text in ports { all += try Self.ports(text) }
        try change("EXPOSE \(all.joined(separator: " "))") { $0.ports = Array(Set($0.ports + all)) }
    }

    /// `80`, `80/udp`, `8000-8010/tcp`.
    static func ports(_ text: String) throws(Failure) -> [String] {
        let parts = text.split(separator: "/", omittingEmptySubsequences: false)
        let bounds = parts[0].split(separator: "-", omittingEmptySubsequences: false).map { UInt16($0) }
        let kind = parts.count > 1 ? parts[1].lowercased() : "tcp"
        guard parts.count < 3, (1...2).contains(bounds.count), let first = bounds[0],
            let last = bounds[bounds.count - 1],
            first > 0, first <= last, ["tcp", "udp", "sctp"].contains(kind)
        else { throw Failure("EXPOSE", text, "is no port", remedy: "give one such as 80, 53/udp or 8000-8010") }
        return (first...last).map { "\($0)/\(kind)" }
    }

    private func healthcheck(_ check: HealthcheckInstruction) throws(Failure) {
        var value = ImageConfig.Healthcheck(test: ["NONE"])
        switch check.command {
        case .none: break
        case .shell(let line): value.test = ["CMD-SHELL", line]
        case .exec(let words): value.test = ["CMD"] + words
        }
        value.interval = check.interval
        value.timeout = check.timeout
        value.startPeriod = check.startPeriod
        value.startInterval = check.startInterval
        value.retries = check.retries
        var text = "HEALTHCHECK \(Self.json(value.test ?? []))"
        for (name, number) in [
            ("interval", value.interval), ("timeout", value.timeout), ("start-period", value.startPeriod),
            ("start-interval", value.startInterval), ("retries", value.retries.map { Int64($0) }),
        ] {
            if let number { text += " --\(name)=\(number)" }
        }
        try change(text) { $0.healthcheck = value }
    }

    /// `ARG` changes no image; what depends on its value has that in its own key.
    func declare(_ arguments: [Argument]) throws(Failure) {
        for argument in arguments {
            let text = "ARG \(argument.name)" + (argument.value.map { "=\($0)" } ?? "")
            try change(text) { _ in }
        }
    }

    /// The program and its arguments: a line is for the shell.
    func words(of command: CommandLine) -> [String] {
        switch command {
        case .shell(let line): shell + [line]
        case .exec(let words): words
        }
    }

    /// What executes lines.
    var shell: [String] { state.execution.shell ?? ["/bin/sh", "-c"] }

    /// A list as the JSON form of instructions writes it.
    static func json(_ words: [String]) -> String {
        let object = String(decoding: List(words: words).json(), as: UTF8.self)
        return String(object.dropFirst(#"{"words":"#.count).dropLast())
    }

    private struct List: JSONMappable {
        var words: [String] = []
        mutating func map(_ fields: JSONFields) { fields.required("words", &words) }
    }
}
