/// The scripts that shells load. Each asks `apus __complete WORD...` for what fits.
enum CompletionScript {
    static func make(for shell: String) throws -> String {
        switch shell {
        case "bash": return bash
        case "zsh": return zsh
        case "fish": return fish
        default: throw UsageError("unknown shell '\(shell)': bash, zsh and fish are known")
        }
    }

    private static let bash = #"""
        # bash completion for apus
        _apus() {
            local line current=${COMP_LINE:0:COMP_POINT} words
            # Bash itself splits words at = and :, which are part of many here.
            read -ra words <<<"$current"
            [[ $current == *[[:space:]] ]] && words+=("")
            local last=${words[${#words[@]}-1]} prefix=""
            # What stands before the last = or : is there already, as far as bash is concerned.
            [[ $last == *[=:]* ]] && prefix=${last%"${last##*[=:]}"}
            COMPREPLY=()
            while IFS= read -r line; do
                if [[ $line == :files ]]; then
                    compopt -o filenames 2>/dev/null
                    while IFS= read -r line; do COMPREPLY+=("$line"); done < <(compgen -f -- "${last#"$prefix"}")
                else
                    line=${line%%$'\t'*}
                    [[ $line == *[=:/] ]] && compopt -o nospace 2>/dev/null
                    COMPREPLY+=("${line#"$prefix"}")
                fi
            done < <("${words[0]}" __complete "${words[@]:1}" 2>/dev/null)
        }
        complete -F _apus apus

        """#

    private static let zsh = #"""
        #compdef apus
        # zsh completion for apus
        _apus() {
            local line files=0
            local -a described
            while IFS= read -r line; do
                if [[ $line == :files ]]; then
                    files=1
                elif [[ $line == *$'\t'* ]]; then
                    described+=("${${line%%$'\t'*}//:/\\:}:${line#*$'\t'}")
                else
                    described+=("${line//:/\\:}")
                fi
            done < <("${words[1]}" __complete "${(@)words[2,CURRENT]}" 2>/dev/null)
            (( ${#described} )) && _describe -V 'apus' described
            (( files )) && _files
        }
        if [[ ${funcstack[1]} == _apus ]]; then _apus "$@"; else compdef _apus apus; fi

        """#

    private static let fish = #"""
        # fish completion for apus
        function __apus_complete
            set -l words (commandline -opc) (commandline -ct)
            for line in ($words[1] __complete $words[2..-1] 2>/dev/null)
                if test "$line" = :files
                    __fish_complete_path (commandline -ct)
                else
                    echo $line
                end
            end
        end
        complete -c apus -f -a '(__apus_complete)'

        """#
}
