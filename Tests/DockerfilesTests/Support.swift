import Dockerfiles

func parse(_ text: String) throws -> Dockerfile { try Dockerfile.parse(text, name: "Dockerfile") }

/// The instructions of the only stage of a Dockerfile, whose `FROM` is put before `text`.
func instructions(_ text: String) throws -> [Instruction] {
    try parse("FROM a\n\(text)").stages[0].statements.map(\.instruction)
}

/// What is said of a Dockerfile that cannot be read; `nil` if it can.
func headline(_ text: String) -> String? { complaint(text)?.headline }

func complaint(_ text: String) -> DockerfileError? {
    do throws(DockerfileError) {
        _ = try Dockerfile.parse(text, name: "Dockerfile")
        return nil
    } catch {
        return error
    }
}
