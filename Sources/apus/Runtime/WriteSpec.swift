import Glibc
import Linux
import Runtime
import SystemPackage

/// `apus-runtime spec`: write an example config.json.
enum WriteSpec {
    static let options: [RuntimeOption] = [.value("bundle", "b"), .flag("rootless")]

    static func run(_ words: ArraySlice<String>) throws -> Int32 {
        let words = try RuntimeWords(words, options)
        guard words.arguments.isEmpty else { throw Failure("", "", "\"spec\" takes no arguments") }
        let path = (words.value("bundle").map { "\($0)/" } ?? "") + "config.json"
        let json = try JSONLayout.indented(ExampleSpec.json(rootless: words.has("rootless")), by: "\t") + "\n"
        do throws(SystemCallError) {
            let file = try FileDescriptor.workingDirectory.open(path, O_WRONLY | O_CREAT | O_EXCL, mode: 0o666)
            defer { file.closeQuietly() }
            try file.writeFully(json.utf8)
        } catch {
            throw Failure("write", path, error, remedy: error.errno == .fileExists ? "remove it first" : nil)
        }
        return 0
    }
}
