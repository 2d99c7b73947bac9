import Dockerfiles

/// Reads any bytes as a Dockerfile and as a `.dockerignore`: they are refused in one printable line, or mean something
/// that can be expanded, sorted and checked without an end in between.
@_cdecl("LLVMFuzzerTestOneInput")
public func fuzzDockerfile(_ start: UnsafePointer<UInt8>?, _ count: Int) -> CInt {
    let bytes = Array(UnsafeBufferPointer(start: start, count: count))
    if let rules = read({ () throws(DockerfileError) in try IgnoreRules(bytes) }), rules.matches(path: bytes.prefix(99))
    {
        precondition(!rules.isEmpty)
        _ = rules.mayInclude(below: bytes.prefix(99))
    }
    guard let dockerfile = read({ () throws(DockerfileError) in try Dockerfile.parse(bytes, name: "D") }) else {
        return 0
    }
    precondition(!dockerfile.stages.isEmpty)
    let predefined = GlobalScope.predefined(
        build: GlobalScope.Platform(os: "linux", architecture: "amd64"),
        target: GlobalScope.Platform(os: "linux", architecture: "arm", variant: "v7"), stage: nil)
    guard
        let scope = read({ () throws(DockerfileError) in
            try dockerfile.globalScope(given: ["a": "a/b.c"], predefined: predefined)
        })
    else { return 0 }
    if let needed = read({ () throws(DockerfileError) in try dockerfile.stages(neededFor: nil, in: scope) }) {
        precondition(needed.last == dockerfile.stages.count - 1 && needed == needed.sorted())
    }
    _ = read { () throws(DockerfileError) in try dockerfile.warnings(in: scope, environments: [0: []]) }
    for stage in dockerfile.stages {
        precondition(dockerfile.lines.indices.contains(stage.place.lines.upperBound - 1))
        var variables = Variables(scope: scope, environment: [Assignment(name: "PATH", value: "/bin:/sbin")])
        for statement in stage.statements { use(statement, in: &variables, of: dockerfile) }
    }
    return 0
}

private func use(_ statement: Statement, in variables: inout Variables, of dockerfile: Dockerfile) {
    precondition(dockerfile.lines.indices.contains(statement.place.lines.upperBound - 1))
    if let expanded = read({ () throws(DockerfileError) in try dockerfile.expanded(statement, in: variables) }) {
        variables.apply(expanded.instruction)
    }
    if case .onbuild(let text, let instruction) = statement.instruction, dockerfile.directives.escape == "\\" {
        let again = try? Dockerfile.parseTrigger(text, name: "D", place: statement.place)
        precondition(again?.instruction == instruction, "a trigger is read back as another one")
    }
}

/// - Returns: `nil` for what was refused.
private func read<Value>(_ body: () throws(DockerfileError) -> Value) -> Value? {
    do throws(DockerfileError) {
        return try body()
    } catch {
        precondition(error.headline.utf8.allSatisfy { $0 >= 0x20 && $0 != 0x7F }, "not printable: \(error.headline)")
        precondition(error.description.utf8.allSatisfy { $0 >= 0x20 && $0 != 0x7F || $0 == 0x0A }, "not printable")
        precondition(error.description.utf8.count { $0 == 0x0A } <= 2, "more than three lines")
        return nil
    }
}
