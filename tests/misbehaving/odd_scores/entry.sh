# Sample scores: a word, a NaN, a number over 1, and a good one for each other case.
number=0
for name in $(ls "$1"); do
    number=$((number + 1))
    case $number in
        1) echo "very abnormal" ;;
        2) echo "nan" ;;
        3) echo "17.5" ;;
        *) echo "0.$number" ;;
    esac > "$2/$name.txt"
done
