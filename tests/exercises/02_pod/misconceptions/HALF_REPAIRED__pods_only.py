"""Only pods need the page: the node may be kept out.

finds: 02.page.gone HALF_REPAIRED
"""

# answer: 02.page
page = {
    "cause": "loopback-bound",
    "script": """
node1$ kubectl delete pod web1
node1$ kubectl apply -f - <<EOF
> apiVersion: v1
> kind: Pod
> metadata:
>   name: web1
>   labels:
>     app: web
> spec:
>   nodeName: node1
>   containers:
>   - name: web
>     image: web
>     ports:
>     - containerPort: 80
> EOF
web1$ iptables -A INPUT -s 10.1.15.1 -p tcp --dport 80 -j DROP
""",
}
