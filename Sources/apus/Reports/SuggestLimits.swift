import ArgumentParser
import Containers
import Formats
import Glibc
import Linux
import Reports
import SystemPackage

/// `apus report suggest`: limits from what earlier runs used.
struct SuggestLimits: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "report suggest", abstract: "Turn what runs have used into limits for the next",
        discussion: """
            Of the runs of each command, 95 of 100 stay below what is suggested even without the margin. A run does not \
            count for a limit that it has reached, since nobody knows how much it would have used. \
            With '--format flags' the result is for a command line: apus limit $(apus report suggest --format flags DIR) -- …
            """)

    @Option(help: "What to put on top") var margin = "20%"
    @Option(help: "table, flags or json") var format = "table"
    @Argument(help: "Reports as JSON, and directories whose *.json are reports", completion: .file())
    var files: [String]

    func run() throws {
        guard ["table", "flags", "json"].contains(format) else {
            throw Failure("report suggest", "--format \(format)", "is not table, flags or json")
        }
        let share: Percentage
        do { share = try Percentage(margin) } catch { throw error.naming("--margin") }
        var suggestions = LimitSuggestions()
        let allRead = try read(into: &suggestions)
        let groups = suggestions.groups.map { ($0, LimitSuggestions.suggestions(for: $0, margin: share)) }
        guard !groups.isEmpty else {
            if !allRead { throw ExitCode(125) }  // which was said
            throw Failure("report suggest", files.joined(separator: " "), "no reports there")
        }
        if format == "flags", groups.count > 1 {
            throw Failure(
                "report suggest", "--format flags", "the reports are of \(groups.count) different commands",
                remedy: "name the files of one, or use another format")
        }
        switch format {
        case "flags": for (_, suggestions) in groups { Output.line(SuggestionText.flags(suggestions)) }
        case "json": Output.line(SuggestionText.value(groups, margin: share).json(indent: 2))
        default: Output.write(SuggestionText.table(groups, margin: share))
        }
        if !allRead { throw ExitCode(1) }
    }

    /// - Returns: Whether all could be read.
    private func read(into suggestions: inout LimitSuggestions) throws -> Bool {
        var allRead = true
        for file in try files.flatMap(Self.reports) {
            do throws(Failure) {
                suggestions.add(try UsageReport.read(file))
            } catch {
                Report.line(error.description)
                allRead = false
            }
        }
        return allRead
    }

    /// The file itself, or what of a directory has a name like a report's.
    private static func reports(_ path: String) throws(Failure) -> [String] {
        do throws(SystemCallError) {
            let status = try FileDescriptor.workingDirectory.status(of: path)
            guard status.st_mode & S_IFMT == S_IFDIR else { return [path] }
            let directory = try FileDescriptor.workingDirectory.open(path, O_RDONLY | O_DIRECTORY)
            defer { directory.closeQuietly() }
            let slash = path.hasSuffix("/") ? "" : "/"
            return try directory.entries().filter { $0.hasSuffix(".json") }.sorted().map { path + slash + $0 }
        } catch {
            throw Failure("read reports", path, error)
        }
    }
}
